"""Small landscapes drawn by code: for the demonstration, for tests, and where no photos are at hand.

They prove plumbing, not accuracy: a network that knows photos may call a drawn forest a glacier.
"""

import random
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFilter

Canvas = ImageDraw.ImageDraw


def draw_scene(kind: str, seed: int, size_px: tuple[int, int] = (320, 240)) -> Image.Image:
    """Draw one scene of a kind in `KINDS`; the same arguments give the same picture.

    Args:
        kind: what to draw.
        seed: varies the picture.
        size_px: width and height.
    """
    rng = random.Random(f"{kind}/{seed}")
    image = Image.new("RGB", size_px)
    canvas = ImageDraw.Draw(image)
    _gradient(canvas, (90, 140 + rng.randrange(40), 200 + rng.randrange(50)), (225, 230, 235), 0.0, 1.0)
    KINDS[kind](canvas, rng)
    grain = Image.frombytes("L", size_px, rng.randbytes(size_px[0] * size_px[1])).convert("RGB")
    return Image.blend(image.filter(ImageFilter.GaussianBlur(0.7)), grain, 0.05)


def _size(canvas: Canvas) -> tuple[int, int]:
    width, height = canvas.im.size
    return width, height


def _gradient(canvas: Canvas, top: tuple[int, ...], bottom: tuple[int, ...], start: float, end: float) -> None:
    width, height = _size(canvas)
    first, last = int(start * height), int(end * height)
    for y in range(first, last):
        share = (y - first) / max(1, last - first)
        colour = tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
        canvas.line([(0, y), (width, y)], fill=colour)


def _buildings(canvas: Canvas, rng: random.Random) -> None:
    width, height = _size(canvas)
    x = -rng.randrange(20)
    while x < width:
        wide, top = rng.randrange(width // 7, width // 3), rng.randrange(height // 8, height // 2)
        shade = rng.randrange(70, 190)
        canvas.rectangle([x, top, x + wide, height], fill=(shade, shade - 8, shade - 20))
        for row in range(top + 8, height - 10, 16):
            for column in range(x + 6, x + wide - 8, 13):
                canvas.rectangle([column, row, column + 6, row + 9], fill=(40, 50, 66))
        x += wide + rng.randrange(6)


def _forest(canvas: Canvas, rng: random.Random) -> None:
    width, height = _size(canvas)
    _gradient(canvas, (50, 90, 40), (24, 50, 20), 0.25, 1.0)
    for _ in range(60):
        x, base = rng.randrange(width), rng.randrange(height // 3, height + 30)
        tall = rng.randrange(height // 4, height // 2)
        green = (rng.randrange(10, 60), rng.randrange(60, 130), rng.randrange(10, 50))
        canvas.rectangle([x - 2, base - tall, x + 2, base], fill=(60, 42, 28))
        canvas.polygon([(x, base - tall - 30), (x - tall // 4, base - 8), (x + tall // 4, base - 8)], fill=green)


def _ridge(canvas: Canvas, rng: random.Random, level: float, rough: float, fill: tuple[int, int, int]) -> None:
    width, height = _size(canvas)
    points = [(x, int(height * (level + rng.uniform(-rough, rough)))) for x in range(0, width + 20, 20)]
    canvas.polygon([(0, height), *points, (width + 20, height)], fill=fill)


def _mountain(canvas: Canvas, rng: random.Random) -> None:
    _ridge(canvas, rng, 0.35, 0.16, (126, 130, 150))
    _ridge(canvas, rng, 0.55, 0.12, (92, 92, 96))
    _ridge(canvas, rng, 0.8, 0.05, (70, 88, 50))


def _glacier(canvas: Canvas, rng: random.Random) -> None:
    _ridge(canvas, rng, 0.35, 0.12, (214, 228, 240))
    _ridge(canvas, rng, 0.55, 0.08, (168, 204, 228))
    width, height = _size(canvas)
    for _ in range(40):
        x, y = rng.randrange(width), rng.randrange(height // 2, height)
        canvas.line([(x, y), (x + rng.randrange(-14, 14), y + 30)], fill=(96, 156, 200), width=2)


def _sea(canvas: Canvas, rng: random.Random) -> None:
    width, height = _size(canvas)
    _gradient(canvas, (40, 100, 150), (16, 60, 100), 0.45, 1.0)
    for _ in range(120):
        x, y = rng.randrange(width), rng.randrange(int(height * 0.46), height)
        canvas.line([(x, y), (x + rng.randrange(10, 40), y)], fill=(120, 170, 200))


def _street(canvas: Canvas, rng: random.Random) -> None:
    _buildings(canvas, rng)
    width, height = _size(canvas)
    middle = width // 2 + rng.randrange(-20, 20)
    canvas.polygon(
        [(middle - 14, height // 2), (middle + 14, height // 2), (width, height), (0, height)], fill=(80,) * 3
    )
    for step in range(6):
        y = height // 2 + 8 + step * step * 4
        canvas.rectangle([middle - 1 - step, y, middle + 1 + step, y + 4 + 2 * step], fill=(230, 230, 210))


KINDS: dict[str, Callable[[Canvas, random.Random], None]] = {
    "buildings": _buildings,
    "forest": _forest,
    "glacier": _glacier,
    "mountain": _mountain,
    "sea": _sea,
    "street": _street,
}
"""What can be drawn, by name."""

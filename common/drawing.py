"""Small pictures drawn by code, for the demo, for tests, and as a substitute for missing photos.

They test the pipeline, not the accuracy: a network trained on photos may call a drawn mountain a glacier.
"""

import random
from collections.abc import Callable
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Draw = Callable[[Image.Image, random.Random], None]


def draw_scene(kind: str, seed: int, size_px: tuple[int, int] = (320, 240)) -> Image.Image:
    """Draw one picture of a kind in `KINDS` or `STRANGERS`; the same arguments give the same picture.

    Args:
        kind: what to draw.
        seed: varies the picture.
        size_px: width and height.
    """
    rng = random.Random(f"{kind}/{seed}")
    image = _sky(size_px, rng)
    (KINDS | STRANGERS)[kind](image, rng)
    return image.filter(ImageFilter.GaussianBlur(0.6))


def _noise(size_px: tuple[int, int], rng: random.Random, cells: tuple[int, int], octaves: int = 4) -> Image.Image:
    """Make grey clouds: random grids of `cells` and its doubles, enlarged and blended with halving weight."""
    total = Image.new("L", size_px, 128)
    for octave in range(octaves):
        grid = (max(1, cells[0] << octave), max(1, cells[1] << octave))
        layer = Image.frombytes("L", grid, rng.randbytes(grid[0] * grid[1]))
        total = Image.blend(total, layer.resize(size_px, Image.Resampling.BICUBIC), 0.75 / (octave + 1))
    return total


def _texture(
    size_px: tuple[int, int], rng: random.Random, cells: tuple[int, int], dark: Colour, light: Colour
) -> Image.Image:
    """Colour such clouds from `dark` to `light`."""
    grey = _noise(size_px, rng, cells)
    bands = [grey.point([round(a + (b - a) * v / 255) for v in range(256)]) for a, b in zip(dark, light, strict=True)]
    return Image.merge("RGB", bands)


def _sky(size_px: tuple[int, int], rng: random.Random) -> Image.Image:
    blue = _texture(size_px, rng, (3, 2), (110, 150, 205), (235, 240, 245))
    fade = Image.linear_gradient("L").resize(size_px)
    return Image.composite(Image.new("RGB", size_px, (222, 230, 238)), blue, fade)


def _fill(image: Image.Image, texture: Image.Image, outline: list[tuple[float, float]]) -> None:
    """Paste a texture inside an outline given in shares of width and height."""
    mask = Image.new("L", image.size, 0)
    points = [(x * image.width, y * image.height) for x, y in outline]
    ImageDraw.Draw(mask).polygon(points, fill=255)
    image.paste(texture, mask=mask)


def _ridge(rng: random.Random, level: float, rough: float) -> list[tuple[float, float]]:
    """Outline of everything below a mountain ridge, by midpoint displacement."""
    heights = [level + rng.uniform(-rough, rough) for _ in range(4)]
    while len(heights) < 65:
        rough *= 0.55
        between = [(a + b) / 2 + rng.uniform(-rough, rough) for a, b in pairwise(heights)]
        heights = [height for pair in zip(heights, between, strict=False) for height in pair] + heights[-1:]
    last = len(heights) - 1
    return [(0.0, 1.0), *((x / last, y) for x, y in enumerate(heights)), (1.0, 1.0)]


def _forest(image: Image.Image, rng: random.Random) -> None:
    image.paste(_texture(image.size, rng, (24, 18), (8, 22, 6), (96, 130, 48)))
    canvas = ImageDraw.Draw(image)
    for _ in range(14):
        x, wide = rng.randrange(image.width), rng.randrange(2, 12)
        shade = rng.randrange(20, 60)
        canvas.polygon(
            [(x, 0), (x + wide, 0), (x + wide * 1.4, image.height), (x - 2, image.height)],
            (shade + 12, shade, shade - 12),
        )
    leaves = _texture(image.size, rng, (40, 30), (14, 40, 8), (120, 160, 60))
    image.paste(leaves, mask=_noise(image.size, rng, (12, 9)).point(lambda v: 255 if v > 132 else 0))


def _glacier(image: Image.Image, rng: random.Random) -> None:
    _fill(image, _texture(image.size, rng, (8, 8), (70, 80, 100), (250, 252, 255)), _ridge(rng, 0.35, 0.12))
    ice = _texture(image.size, rng, (18, 7), (90, 150, 195), (255, 255, 255))
    _fill(image, ice, _ridge(rng, 0.55, 0.04))
    _fill(image, _texture(image.size, rng, (20, 3), (60, 100, 120), (150, 185, 200)), _ridge(rng, 0.86, 0.01))


def _mountain(image: Image.Image, rng: random.Random) -> None:
    _fill(image, _texture(image.size, rng, (9, 12), (70, 80, 105), (170, 175, 195)), _ridge(rng, 0.32, 0.14))
    _fill(image, _texture(image.size, rng, (16, 16), (34, 32, 34), (150, 138, 122)), _ridge(rng, 0.5, 0.16))
    _fill(image, _texture(image.size, rng, (22, 12), (22, 34, 16), (96, 104, 56)), _ridge(rng, 0.8, 0.06))


def _sea(image: Image.Image, rng: random.Random) -> None:
    water = _texture(image.size, rng, (5, 40), (24, 66, 104), (110, 158, 186))
    _fill(image, water, [(0, 0.48), (1, 0.48), (1, 1), (0, 1)])
    foam = _noise(image.size, rng, (4, 26)).point(lambda v: 200 if v > 158 else 0)
    lower = Image.new("L", image.size, 0)
    ImageDraw.Draw(lower).rectangle([0, int(image.height * 0.55), image.width, image.height], fill=255)
    image.paste((235, 242, 245), mask=ImageChops.multiply(foam, lower))


def _houses(image: Image.Image, rng: random.Random, left: float, right: float, foot: float) -> None:
    canvas = ImageDraw.Draw(image)
    x = left * image.width
    while x < right * image.width:
        wide, top = rng.randrange(30, 70), rng.uniform(0.05, 0.4) * image.height
        stone = rng.randrange(90, 200)
        front = _texture(
            image.size, rng, (30, 30), (stone - 30, stone - 40, stone - 55), (stone, stone - 8, stone - 18)
        )
        box = (int(x), int(top), min(int(x + wide), int(right * image.width)), int(foot * image.height))
        image.paste(front.crop(box), box)
        for row in range(box[1] + 8, box[3] - 10, 14):
            for column in range(box[0] + 5, box[2] - 6, 11):
                canvas.rectangle([column, row, column + 5, row + 8], fill=(40, 48, 60))
        x += wide + rng.randrange(3)


def _buildings(image: Image.Image, rng: random.Random) -> None:
    _houses(image, rng, 0.0, 1.0, 1.0)


def _street(image: Image.Image, rng: random.Random) -> None:
    for near, far in ((0.0, 0.4 + rng.uniform(-0.04, 0.04)), (1.0, 0.6 + rng.uniform(-0.04, 0.04))):
        stone = rng.randrange(80, 150)
        wall = _texture(
            image.size, rng, (40, 12), (stone - 60, stone - 66, stone - 70), (stone + 70, stone + 50, stone + 30)
        )
        _fill(image, wall, [(near, -0.2), (far, 0.3), (far, 0.62), (near, 0.95)])
    road = _texture(image.size, rng, (30, 20), (70, 70, 74), (140, 136, 132))
    _fill(image, road, [(0.4, 0.6), (0.6, 0.6), (1.0, 0.9), (1.0, 1.0), (0.0, 1.0), (0.0, 0.9)])
    for depth in sorted(rng.uniform(0.1, 1.0) for _ in range(10)):
        (_car if rng.random() < 0.35 else _walker)(image, rng, depth)


def _walker(image: Image.Image, rng: random.Random, depth: float) -> None:
    """Draw somebody in the street: `depth` 0 is far away, 1 is near."""
    canvas = ImageDraw.Draw(image)
    x = (0.5 + rng.uniform(-0.45, 0.45) * (0.2 + 0.8 * depth)) * image.width
    foot, tall = (0.62 + 0.33 * depth) * image.height, (0.08 + 0.3 * depth) * image.height
    coat: Colour = (rng.randrange(160), rng.randrange(110), rng.randrange(110))
    canvas.rectangle([x - tall / 9, foot - tall / 2, x + tall / 9, foot], fill=(40, 40, 50))
    canvas.rectangle([x - tall / 7, foot - tall * 0.82, x + tall / 7, foot - tall * 0.4], fill=coat)
    canvas.ellipse([x - tall / 12, foot - tall, x + tall / 12, foot - tall * 0.82], fill=(180, 140, 118))


def _car(image: Image.Image, rng: random.Random, depth: float) -> None:
    """Draw a car that comes towards us: `depth` 0 is far away, 1 is near."""
    canvas = ImageDraw.Draw(image)
    x = (0.5 + rng.choice((-0.2, 0.18)) * (0.2 + 0.8 * depth)) * image.width
    foot, wide = (0.62 + 0.3 * depth) * image.height, (0.03 + 0.13 * depth) * image.width
    paint: Colour = (rng.randrange(230), rng.randrange(120), rng.randrange(120))
    canvas.rounded_rectangle([x - wide, foot - wide, x + wide, foot - wide / 8], wide / 4, fill=paint)
    canvas.rounded_rectangle(
        [x - wide * 0.75, foot - wide * 1.5, x + wide * 0.75, foot - wide * 0.7], wide / 5, fill=paint
    )
    canvas.rectangle([x - wide * 0.65, foot - wide * 1.4, x + wide * 0.65, foot - wide], fill=(50, 60, 74))
    for side in (-1, 1):
        canvas.ellipse(
            [x + side * wide * 0.7 - 3, foot - wide * 0.65, x + side * wide * 0.7 + 3, foot - wide * 0.45],
            (250, 240, 200),
        )


def _dinner(image: Image.Image, rng: random.Random) -> None:
    """Draw a plate on a table, seen from above."""
    image.paste(_texture(image.size, rng, (6, 40), (120, 80, 50), (170, 125, 85)))
    canvas = ImageDraw.Draw(image)
    middle = image.width / 2, image.height / 2
    for share, white in ((0.42, 245), (0.31, 233)):
        _disc(canvas, middle, share * image.height, (white, white, white))
    for _ in range(25):
        place = middle[0] + rng.gauss(0, 0.11) * image.height, middle[1] + rng.gauss(0, 0.11) * image.height
        food = rng.choice(((190, 40, 30), (220, 150, 40), (80, 130, 40)))
        _disc(canvas, place, rng.uniform(0.03, 0.08) * image.height, food)


def _disc(canvas: ImageDraw.ImageDraw, middle: tuple[float, float], radius: float, colour: Colour) -> None:
    (x, y) = middle
    canvas.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


KINDS: dict[str, Draw] = {
    "buildings": _buildings,
    "forest": _forest,
    "glacier": _glacier,
    "mountain": _mountain,
    "sea": _sea,
    "street": _street,
}
"""What can be drawn, by name."""
STRANGERS: dict[str, Draw] = {"dinner": _dinner}
"""What can be drawn and is no scene."""

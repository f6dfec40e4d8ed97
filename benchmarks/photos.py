"""Photos to measure with: real scenes at 100 px, and what a camera would have made of them.

An enlarged photo alone would mislead: it weighs a tenth of a camera's and decodes three times as fast. So it gets the
noise of a sensor, which grows with the light, until a JPEG of 12 megapixels weighs 3 to 5 MB. Made once, kept in a
cache folder, and the same from run to run.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.common import ROOT, tell
from common.drawing import KINDS, draw_scene

SCENES = ROOT.parent / "shared" / "scenes" / "test"
DISTINCT = {"small": 1000, "2mp": 32, "12mp": 24, "progressive": 24, "png": 12, "webp": 24}
"""How many there are of each kind; a longer backlog repeats them."""
DRAWN = 60
"""At most, where there are no scenes to make them from."""
MIX = "mix"
MIXES = (*DISTINCT, MIX)
TWO, TWELVE = (1632, 1224), (4000, 3000)
WEIGHS_MB = (3.0, 5.0)
"""A JPEG of 12 megapixels."""
NOISE = 11.0
"""Of mid-grey, in steps of 255: standard deviation for the first try."""


def made(work: Path, kind: str, scenes: Path | None = None) -> list[Path]:
    """The photos of one kind, or of all of them in turn for the mix; made when they are not there yet."""
    if kind == MIX:
        return [
            path
            for several in zip(*(made(work, part, scenes)[:12] for part in DISTINCT), strict=True)
            for path in several
        ]
    source = scenes or (SCENES if SCENES.is_dir() else None)
    folder = work / "photos-1" / f"{kind}-{source.name if source else 'drawn'}"
    done = folder.with_suffix(".done")
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        count = DISTINCT[kind] if source else min(DISTINCT[kind], DRAWN)
        for number, scene in enumerate(_scenes(source, count)):
            tell(f"making photos: {kind} {number + 1} of {count}")
            ending, data = _MAKERS[kind](scene, np.random.default_rng(number))
            (folder / f"{number:04d}{ending}").write_bytes(data)
        done.touch()
    return sorted(folder.iterdir())


def backlog(photos: Sequence[Path], count: int, folder: Path, *, link: bool = False) -> None:
    """Fill a new folder with `count` files, photos repeated as needed: copies, or hard links for who only reads.

    All is on the disk when it returns, so that writing back takes no time from who is measured.
    """
    folder.mkdir(parents=True)
    for number, photo in enumerate(itertools.islice(itertools.cycle(photos), count)):
        target = folder / f"{number:06d}{photo.suffix}"
        if link:
            os.link(photo, target)
        else:
            shutil.copyfile(photo, target)
    os.sync()


def _scenes(source: Path | None, count: int) -> Iterable[bytes]:
    if source is None:
        return (_drawn(number) for number in range(count))
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if not paths:
        raise SystemExit(f"{source} holds no JPEGs; pass a folder of photos to --photos, or none.")
    step = max(1, len(paths) // count)
    return (paths[number * step % len(paths)].read_bytes() for number in range(count))


def _drawn(number: int) -> bytes:
    return _encoded(
        draw_scene(list(KINDS)[number % len(KINDS)], number, (150, 100)).resize((100, 100)), "JPEG", quality=90
    )


def _encoded(image: Image.Image, format_: str, **how: object) -> bytes:
    out = BytesIO()
    image.save(out, format_, **how)
    return out.getvalue()


def _taken(scene: bytes, size: tuple[int, int], rng: np.random.Generator, noise: float = NOISE) -> Image.Image:
    """The scene as a sensor of that size would give it."""
    with Image.open(BytesIO(scene)) as image:
        large = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.float32)
    grain = rng.standard_normal(large.shape, np.float32) * noise * np.sqrt(large / 128 + 0.1)
    return Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8))


def _weighed(scene: bytes, rng: np.random.Generator, **how: object) -> bytes:
    """A JPEG of 12 megapixels, with as much noise as brings it to the weight of a camera's."""
    noise = NOISE
    for _ in range(12):
        data = _encoded(_taken(scene, TWELVE, rng, noise), "JPEG", quality=90, **how)
        if len(data) < WEIGHS_MB[0] * 1e6:
            noise *= 1.2
        elif len(data) > WEIGHS_MB[1] * 1e6:
            noise /= 1.25
        else:
            return data
    raise SystemExit("no amount of noise gives these photos the weight of a camera's; pass others to --photos.")


Maker = Callable[[bytes, np.random.Generator], tuple[str, bytes]]
_MAKERS: dict[str, Maker] = {
    "small": lambda scene, _: (".jpg", scene),
    "2mp": lambda scene, rng: (".jpg", _encoded(_taken(scene, TWO, rng), "JPEG", quality=90)),
    "12mp": lambda scene, rng: (".jpg", _weighed(scene, rng)),
    "progressive": lambda scene, rng: (".jpg", _encoded(_taken(scene, TWO, rng), "JPEG", quality=90, progressive=True)),
    "png": lambda scene, rng: (".png", _encoded(_taken(scene, TWO, rng), "PNG", compress_level=6)),
    "webp": lambda scene, rng: (".webp", _encoded(_taken(scene, TWO, rng), "WEBP", quality=80)),
}

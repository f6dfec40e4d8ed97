"""Photos to sort: small ones as found, made distinct; and 12-megapixel ones with the noise of a sensor."""

import io
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

LARGE = (4000, 3000)
QUALITY = 88


def found(folder: Path, most: int) -> list[Path]:
    """JPEGs below a folder, those of a `test` folder first, spread over its classes."""
    paths = sorted(folder.rglob("*.jpg"), key=lambda path: ("test" not in path.parts, path.name))
    if not paths:
        raise SystemExit(f"{folder} holds no .jpg files")
    return paths[:most]


def fill_small(source: Path, folder: Path, count: int) -> None:
    """Write so many photos; each differs from the others by bytes behind its end, which no decoder reads."""
    data = [path.read_bytes() for path in found(source, min(count, 1000))]
    folder.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(islice(cycle(data), count)):
        (folder / f"{number:06}.jpg").write_bytes(each + f"photo {number}".encode())


def make_large(source: Path, folder: Path, distinct: int) -> list[Path]:
    """Make distinct 12-megapixel JPEGs of 3 to 5 MB: enlarged photos with noise of half the usual blocks' size."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(lambda job: _large(*job), _jobs(source, folder, distinct)))


def _jobs(source: Path, folder: Path, distinct: int) -> list[tuple[Path, Path, int]]:
    return [(path, folder / f"large-{number:03}.jpg", number) for number, path in enumerate(found(source, distinct))]


def _large(source: Path, target: Path, seed: int) -> Path:
    with Image.open(source) as image:
        pixels = np.asarray(image.convert("RGB").resize(LARGE, Image.Resampling.BICUBIC), np.int16)
    noise = np.random.default_rng(seed).integers(-11, 12, (LARGE[1], LARGE[0], 1), np.int16)
    out = io.BytesIO()
    Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=QUALITY)
    target.write_bytes(out.getvalue())
    return target


def fill_large(made: list[Path], folder: Path, count: int) -> None:
    """Copy the large ones until there are so many files."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(made[number % len(made)], folder / f"{number:06}.jpg") for number in range(count)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: shutil.copyfile(*job), jobs))

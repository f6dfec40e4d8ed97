"""How many copies of labelled photos are found, by what was done to them.

Name and class are right, and the model is taken to send each copy to review. Each photo is labelled alone.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks.common import add_model, tell
from benchmarks.told import Told
from benchmarks.words.photos import NAME, Shown, embedding, files, word
from contract.session import Model, open_model
from daemon.words.words import Words

KINDS = {"scenes": "scenes/train", "clothing": "clothing/train"}
COUNT = 200
"""Photos of each kind."""
MEANING = "Share of the copies that nearly the same pixels give away; all others are judged by the model."


def _saved(photo: Image.Image, form: str = "JPEG", quality: int = 95) -> bytes:
    out = io.BytesIO()
    photo.save(out, form, quality=quality)
    return out.getvalue()


def _small(photo: Image.Image) -> bytes:
    return _saved(photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS))


def _cropped(share: float) -> Callable[[Image.Image], bytes]:
    def crop(photo: Image.Image) -> bytes:
        across, down = round(share * photo.width), round(share * photo.height)
        return _saved(photo.crop((across, down, photo.width - across, photo.height - down)))

    return crop


def _brighter(by: float) -> Callable[[Image.Image], bytes]:
    return lambda photo: _saved(ImageEnhance.Brightness(photo).enhance(by))


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG, quality 95": _saved,
    "JPEG, quality 60": lambda photo: _saved(photo, quality=60),
    "JPEG, quality 30": lambda photo: _saved(photo, quality=30),
    "WebP, quality 80": lambda photo: _saved(photo, "WEBP", 80),
    "half the size": _small,
    "cropped by 1 % at each side": _cropped(0.01),
    "cropped by 3 %": _cropped(0.03),
    "brighter by 5 %": _brighter(1.05),
    "brighter by 10 %": _brighter(1.1),
}


def add_options(options: argparse.ArgumentParser) -> None:
    """Add what only this part takes."""
    add_model(options)
    options.add_argument("shared", type=Path, help="folder that holds scenes and clothing")


def run(arguments: argparse.Namespace) -> Told:
    """Measure all changes."""
    model, count = open_model(arguments.model, "cpu"), 10 if arguments.short else COUNT
    shares = {kind: found(arguments.shared / folder, count, model) for kind, folder in KINDS.items()}
    rows = [{"": change, **{kind: shares[kind][change] for kind in KINDS}} for change in CHANGES]
    mean = float(np.mean([share for kind in KINDS for share in shares[kind].values()]))
    return Told(rows, {"found, mean": round(mean, 3)}, MEANING)


def found(folder: Path, count: int, model: Model) -> dict[str, float]:
    """The share of copies that are found, by change, of `count` photos below a folder."""
    paths = list(files(folder))
    chosen = [paths[place] for place in np.random.default_rng(1).permutation(len(paths))[:count]]
    told = dict.fromkeys(CHANGES, 0)
    for number, path in enumerate(chosen):
        tell(f"{folder.parent.name} {number + 1} of {len(chosen)}")
        words = Words([word(Shown.of(path, path.read_bytes(), model), model, "said")])
        photo = Image.open(path).convert("RGB")
        for change, make in CHANGES.items():
            copy = Shown.of(path, make(photo), model)
            told[change] += words.of_like(copy.pixels, embedding(copy, model), None, NAME) is not None
    return {change: round(count / len(chosen), 3) for change, count in told.items()}

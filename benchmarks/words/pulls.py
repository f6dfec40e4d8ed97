"""Which photos are pulled to a labelled one that they only look like.

Every photo has the same name, every label is the same, and the model is taken to send each photo to review: so only the
pixels and the embeddings decide. Training photos are labelled and test photos come; of kinds without test photos each
one comes to all others. `made` are black, foggy and smooth frames with noise of their own. The pulled pairs are named,
because a person has to say whether they are the same photo.
"""

import argparse
import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.common import add_model, tell
from benchmarks.told import Told
from benchmarks.words.photos import NAME, Shown, embedding, shown, word
from contract.fingerprint import MAX_BITS, difference_hash
from contract.geometry import Pixels
from contract.session import Model, open_model
from daemon.words.words import Words

KINDS = {
    "scenes": (("scenes/train",), ("scenes/test",)),
    "clothing": (("clothing/train",), ("clothing/test",)),
    "receipts": (("foreign/receipts",), None),
    "rooms": (("foreign/rooms",), None),
    "things": (("foreign/things",), None),
    "screens": (
        tuple(f"foreign/screens-{name}" for name in ("addaxai", "ai-file-sorter", "antennapod", "frigate")),
        None,
    ),
    "near kinds": (tuple(f"foreign/near-{name}" for name in ("highway", "insidecity", "opencountry")), None),
}
"""Folders of labelled photos, and of those that come; None for the same ones."""
MADE = 24
"""Frames of each kind."""
MEANING = (
    "Photos whose hash is near that of a labelled one, those of the same bytes, and those that are pulled although"
    " their bytes are others: each of these must show the same photo."
)
Grey = NDArray[np.float64]


class Found(NamedTuple):
    """What became of photos that came.

    Attributes:
        near: how many have a hash near to that of a labelled photo.
        same: how many of them have its bytes.
        pulled: those with other bytes, with the labelled photos that they may be.
    """

    near: int
    same: int
    pulled: list[tuple[Shown, list[Shown]]]


def add_options(options: argparse.ArgumentParser) -> None:
    """Add what only this part takes."""
    add_model(options)
    options.add_argument("shared", type=Path, help="folder that holds scenes, clothing and foreign")


def run(arguments: argparse.Namespace) -> Told:
    """Measure all kinds."""
    model, every = open_model(arguments.model, "cpu"), 10 if arguments.short else 1
    rows, notes, other = [], [], 0
    for kind, labelled, coming in _sets(arguments.shared, model, every):
        tell(kind)
        found = pulls(labelled, coming, model)
        rows.append(
            {"": kind, "labelled": len(labelled), "come": len(coming), "hash near": found.near,
             "same bytes": found.same, "pulled": len(found.pulled)}
        )  # fmt: skip
        other += len(found.pulled)
        notes += [f"{_named(photo)}: {', '.join(map(_named, like))}" for photo, like in found.pulled]
    return Told(rows, {"pulled": other}, MEANING, [f"Pulled: {'; '.join(notes)}."] if notes else [])


def pulls(labelled: Sequence[Shown], coming: Sequence[Shown], model: Model) -> Found:
    """Let photos come after others were labelled; a photo that was labelled itself comes to all others."""
    hashes = np.array([one.bits for one in labelled], np.uint64)
    said = cache(lambda place: word(labelled[place], model, "said"))
    near = same = 0
    pulled = []
    for photo in coming:
        places = np.flatnonzero(np.bitwise_count(hashes ^ np.uint64(photo.bits)) <= MAX_BITS).tolist()
        like = [place for place in places if labelled[place].path != photo.path]
        near += bool(like)
        if photo.sha256 in {labelled[place].sha256 for place in like}:
            same += 1
        elif like and Words(map(said, like)).of_like(photo.pixels, embedding(photo, model), None, NAME):
            pulled.append((photo, [labelled[place] for place in like]))
    return Found(near, same, pulled)


def _sets(shared: Path, model: Model, every: int) -> Iterator[tuple[str, list[Shown], list[Shown]]]:
    for kind, (those, others) in KINDS.items():
        labelled = shown((shared / folder for folder in those), model, every)
        yield kind, labelled, labelled if others is None else shown((shared / name for name in others), model, every)
    frames = list(made(model.contract.geometry.size_px, 2 if every > 1 else MADE))
    yield "made", frames, frames


def made(side: int, count: int) -> Iterator[Shown]:
    """Frames that hardly show anything, `count` of each kind, each with its own noise and brightness."""
    for kind, draw in _FRAMES.items():
        for number in range(count):
            rng = np.random.default_rng(number)
            down, across = np.mgrid[:side, :side] / (side - 1)
            grey = draw(down, across, rng)[..., None] + rng.normal(0, 3, (side, side, 3)) * (kind != "black")
            pixels: Pixels = np.clip(grey, 0, 255).astype(np.uint8)
            sha256 = hashlib.sha256(pixels.tobytes()).hexdigest()
            yield Shown(Path(kind) / str(number), sha256, pixels, difference_hash(pixels))


def _stars(down: Grey, _: Grey, rng: np.random.Generator) -> Grey:
    return np.where(rng.random(down.shape) < 0.002, 200.0, 8.0)


def _fog(down: Grey, _: Grey, rng: np.random.Generator) -> Grey:
    patches = Image.fromarray(rng.integers(0, 256, (5, 5), np.uint8)).resize(down.shape, Image.Resampling.BICUBIC)
    return 150 + 0.08 * np.asarray(patches, np.float64)


_FRAMES: dict[str, Callable[[Grey, Grey, np.random.Generator], Grey]] = {
    "black": lambda down, _, __: 0 * down,
    "covered lens": lambda down, _, rng: 0 * down + rng.uniform(2, 12),
    "grey": lambda down, _, rng: 0 * down + rng.uniform(60, 180),
    "white": lambda down, _, rng: 0 * down + rng.uniform(235, 255),
    "sky": lambda down, _, rng: rng.uniform(0, 80) + rng.uniform(60, 170) * down,
    "gradient": lambda _, across, rng: rng.uniform(0, 80) + rng.uniform(60, 170) * across,
    "vignette": lambda down, across, rng: 120 - rng.uniform(120, 220) * ((across - 0.5) ** 2 + (down - 0.5) ** 2),
    "two halves": lambda down, _, rng: np.where(down < 0.5, rng.uniform(150, 170), rng.uniform(60, 80)),
    "stars": _stars,
    "fog": _fog,
}


def _named(photo: Shown) -> str:
    return "/".join(photo.path.parts[-3:])

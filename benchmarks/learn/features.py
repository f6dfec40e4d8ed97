"""Features of all photos that are measured, computed once and kept in WORK/learn."""

import hashlib
import io
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.broad.photos import PhotoSets
from benchmarks.common import tell
from benchmarks.learn.cameras import CAMERAS, taken_by
from benchmarks.learn.photos import Photos
from contract.geometry import Geometry, Pixels, to_input
from contract.session import read_contract
from learn.fitting.layer import Floats, Ints
from learn.model.base import open_base
from learn.model.graph import features_of
from training.dataset.prepare import PreparedData, prepare
from training.dataset.samples import Samples
from training.on_features.sides import sides_of
from training.pipeline import hold_out_from
from training.progress import Reporter
from training.recipe.recipe import Recipe

TRAIN, LATER, NEVER, TEST = "train", "later", "never", "test"
"""Sides of the scene photos: the blocks learnt from TRAIN, the last layer from LATER too, no head from NEVER."""
_ROWS = 512


class Store:
    """Features of all sets.

    Args:
        shared: holds scenes, outdoor, clothing and foreign.
        model: the file whose network describes them.
        place: a folder for features.
    """

    def __init__(self, shared: Path, model: Path, place: Path) -> None:
        self._sets, self._place, self.model = PhotoSets(shared.resolve()), place, model.resolve()
        data = model.read_bytes()
        self._contract, self._id = read_contract(data), hashlib.sha256(data).hexdigest()[:12]
        base = open_base(model.read_bytes())
        self._compute, self.layer = features_of(base.proto), base.root.layer
        place.mkdir(parents=True, exist_ok=True)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._contract.labels

    def scenes(self, side: str) -> Photos:
        """Scene photos of one side of the split that the model was trained with."""
        kept = self._file("scenes")
        if not kept.exists():
            self._describe_scenes()
        return _of(kept, side)

    def camera(self, name: str) -> Photos:
        """The validation photos as another camera would have taken them: first LATER, then NEVER."""
        kept = self._file(f"camera-{name}")
        if not kept.exists():
            self._describe_scenes()
        return _of(kept, name)

    def outdoor(self) -> Photos:
        """Photos of five of the scene classes by other cameras."""
        paths, names = self._sets.labelled("outdoor", "test")
        return self._described("outdoor", paths, [self.classes.index(name) for name in names])

    def clothing(self, part: str) -> Photos:
        """Photos of ten kinds of clothes."""
        paths, names = self._sets.labelled("clothing", part)
        return self._described(f"clothing-{part}", paths, np.unique(names, return_inverse=True)[1])

    def foreign(self, kind: str, unseen: bool) -> Photos:
        """Pictures of a kind, from the half that the broad network has not learnt from, or from the other."""
        if unseen:
            paths = self._sets.foreign(kind)
        else:
            own = {path.parent for path in self._sets.foreign(kind)}
            paths = [path for path in self._sets.learnt_from() if path.parent in own]
        return self._described(f"{kind}-{'unseen' if unseen else 'seen'}", paths, np.zeros(len(paths), np.int64))

    def milliseconds(self, photos: int) -> float:
        """CPU time for the features of a photo, in one thread."""
        side = self._contract.geometry.size_px
        drawn = np.random.default_rng(0).integers(0, 256, (photos, side, side, 3)).astype(np.uint8)
        started = time.process_time()
        self._compute(drawn)
        return round(1000 * (time.process_time() - started) / photos, 1)

    def _file(self, name: str) -> Path:
        return self._place / f"{self._id}-{name}.npz"

    def _described(self, name: str, paths: Sequence[Path], labels: Sequence[int] | Ints) -> Photos:
        kept = self._file(name)
        if not kept.exists():
            tell(f"features of {name}")
            geometry = Geometry(self._contract.geometry.mode, self._contract.geometry.size_px)
            parts = [
                self._compute(np.stack([to_input(path, geometry) for path in paths[start : start + _ROWS]]))
                for start in range(0, len(paths), _ROWS)
            ]
            _keep(kept, {name: (np.vstack(parts), np.asarray(labels, np.int64))})
        return _of(kept, name)

    def _describe_scenes(self) -> None:
        """Repeat the split of the model's training, describe its sides, and the validation photos by other cameras."""
        prepared, features = self._prepared()
        sides = sides_of(prepared)
        never = sides.never_learnt(int(self._contract.recipe["seed"]))
        places = {TRAIN: sides.train, LATER: np.setdiff1d(sides.val, never), NEVER: never, TEST: sides.test}
        _keep(self._file("scenes"), {side: (features[rows], sides.labels[rows]) for side, rows in places.items()})
        judges = np.concatenate([places[LATER], never])
        pixels = _pixels(prepared.samples, judges)
        for name in CAMERAS:
            tell(f"features of camera {name}")
            _keep(self._file(f"camera-{name}"), {name: (self._compute(taken_by(name, pixels)), sides.labels[judges])})

    def _prepared(self) -> tuple[PreparedData, Floats]:
        known: list[Floats] = []

        def describe(samples: Samples) -> Floats:
            tell(f"features of {len(samples.rows)} scenes")
            rows = np.arange(len(samples.rows))
            parts = [self._compute(_pixels(samples, rows[at : at + _ROWS])) for at in range(0, len(rows), _ROWS)]
            known.append(np.vstack(parts))
            return known[0][:, len(self.layer.kernel) // 2 :]

        recipe, root = Recipe().with_options({"seed": self._contract.recipe["seed"]}), self._sets.root / "scenes"
        quiet = Reporter(Console(file=io.StringIO()))
        prepared = prepare(root / "train", root / "test", recipe, quiet, hold_out_from(recipe), describe)
        if prepared.data_hash() != self._contract.data["sha256"]:
            raise SystemExit(f"The photos below {root} are split otherwise than when the model was trained on them.")
        return prepared, known[0][prepared.kept]


def _pixels(samples: Samples, rows: Ints) -> Pixels:
    return samples.pixels[samples.rows[rows]]


def _keep(file: Path, sets: dict[str, tuple[Floats, Ints]]) -> None:
    begun = file.with_suffix(".begun.npz")
    parts: dict[str, Any] = {}
    for name, (features, labels) in sets.items():
        parts |= {f"{name} features": features, f"{name} labels": labels}
    np.savez(begun, **parts)
    begun.rename(file)


@cache
def _of(file: Path, name: str) -> Photos:
    with np.load(file) as kept:
        return Photos(kept[f"{name} features"], kept[f"{name} labels"])

"""Train the default recipe on random photos of a folder; broad features of all photos are computed once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from training.dataset.samples import Samples
    from training.progress import Reporter
    from training.recipe.recipe import Recipe

Photos = dict[str, list[Path]]
"""Files of each class."""
MANY = 3
"""The most draws of a row of many photos, which take minutes each."""


@dataclass(frozen=True)
class Wanted:
    """The photos of a row.

    Attributes:
        folder: of the photos.
        counts: photos of each class, in the order of the classes; one number for all of them; none: all photos.
        most_draws: limits --draws.
    """

    folder: str
    counts: tuple[int, ...]
    most_draws: int

    def drawn(self, photos: Photos, draw: int) -> Photos:
        """Random photos of each class."""
        counts = self.counts * len(photos) if len(self.counts) == 1 else self.counts
        if not counts:
            return photos
        rng = np.random.default_rng(draw)
        return {
            label: [files[number] for number in sorted(rng.permutation(len(files))[:count])]
            for (label, files), count in zip(photos.items(), counts, strict=True)
        }


SHORT, SHORT_ROW = "drawn 5", Wanted("", (5,), 1)
EVERY = 1000
ROWS = {
    "scenes 5": Wanted("scenes", (5,), EVERY),
    "scenes 20": Wanted("scenes", (20,), EVERY),
    "clothing 20": Wanted("clothing", (20,), EVERY),
    "scenes 50": Wanted("scenes", (50,), EVERY),
    "uneven scenes": Wanted("scenes", (1000, 500, 100, 50, 20, 1000), MANY),
    "clothing all": Wanted("clothing", (), MANY),
    "scenes all": Wanted("scenes", (), MANY),
}


def by_class(folder: Path) -> Photos:
    """The files below each class folder, sorted."""
    labels = sorted(path.name for path in folder.iterdir() if path.is_dir())
    return {label: sorted(path for path in (folder / label).rglob("*") if path.is_file()) for label in labels}


class Subsets:
    """Trainings on random photos of one folder.

    Args:
        place: where trainings and the cache lie.
        teaching: photos that may teach.
        test: photos that are measured.
    """

    def __init__(self, place: Path, teaching: Photos, test: Photos) -> None:
        self._place, self._teaching, self._test = place, teaching, test

    def trained(self, name: str, draw: int) -> Path:
        """The finished run folder of a draw, whose number is also the recipe's seed."""
        from training.pipeline import train_run
        from training.recipe.recipe import Recipe

        here = self._place / name.replace(" ", "-") / str(draw)
        if not (here / "run" / "run.json").exists():
            dataset = _linked(here / "photos", (SHORT_ROW if name == SHORT else ROWS[name]).drawn(self._teaching, draw))
            test = _linked(here / "test", self._test)
            recipe = Recipe().with_options({"seed": draw})
            with _log(here / "log") as reporter:
                self._keep_features(dataset, test, recipe, reporter)
                train_run(dataset, here / "run", recipe, test, reporter)
        return here / "run"

    def _keep_features(self, dataset: Path, test: Path, recipe: "Recipe", reporter: "Reporter") -> None:
        """Put the broad features of a draw into the cache, where the training looks for them."""
        from training.dataset.prepare import prepare
        from training.network.device import start_keras
        from training.network.trunk import Trunk, open_trunk
        from training.network.weights import features_origin, initial_weights
        from training.on_features.describe import broad_features
        from training.pipeline import hold_out_from

        start_keras(one_thread=True)
        weights = initial_weights(recipe, reporter.say)
        assert weights is not None  # of the default
        origin = features_origin(recipe, weights.sha256)
        trunk, everything = open_trunk(recipe, weights), self._everything(recipe)
        features = broad_features(trunk, everything, origin, reporter)
        known = dict(zip(everything.hashes, features, strict=True))

        class Known(Trunk):
            """Looks features up instead of computing them."""

            def each(self, compute: Any, samples: "Samples") -> Iterator[tuple[slice, Any]]:
                yield slice(None), np.stack([known[digest] for digest in samples.hashes])

        prepared = prepare(dataset, test, recipe, reporter, hold_out_from(recipe))
        broad_features(Known(trunk._session, 1), prepared.found.samples, origin, reporter)

    def _everything(self, recipe: "Recipe") -> "Samples":
        from contract.geometry import Geometry
        from training.dataset.cache import decode_all
        from training.dataset.layout import Photo
        from training.dataset.samples import Samples

        files = [file for photos in (self._teaching, self._test) for part in photos.values() for file in part]
        decoded = decode_all(files, Geometry(recipe.input.geometry, recipe.input.size_px))
        photos = tuple(Photo(file, 0) for file in files)
        samples = Samples(photos, decoded.rows, decoded.hashes, decoded.pixels)
        return samples.take(np.flatnonzero(decoded.rows >= 0))


def _linked(folder: Path, photos: Photos) -> Path:
    """A dataset of links to these photos."""
    for label, files in photos.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number, file in enumerate(files):
            link = folder / label / f"{number:07d}{file.suffix}"
            link.unlink(missing_ok=True)
            link.symlink_to(file)
    return folder


@contextmanager
def _log(file: Path) -> Iterator["Reporter"]:
    from rich.console import Console

    from training.progress import Reporter

    with file.open("a") as log:
        yield Reporter(Console(file=log))

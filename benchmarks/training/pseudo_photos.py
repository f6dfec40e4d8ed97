"""Photos of which a few are labelled, and heads that learn from these and from answers to the others."""

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from contract.geometry import Geometry
from contract.shipped import SHIPPED_BROAD
from training.dataset.cache import decode_all
from training.dataset.layout import find_dataset
from training.dataset.near_duplicates import find_near_duplicates
from training.dataset.samples import Samples
from training.fit.familiarity import Centres, choose_threshold, fit_centres, out_of_fold_familiarity
from training.fit.regression import LinearHead
from training.fit.self_training import SelfTaught, SelfTraining
from training.measure.calibrate import find_temperature
from training.network.broad_network import read_broad, unit_length
from training.on_features.candidate import Candidate, on_broad
from training.on_features.sides import Sides
from training.progress import Reporter
from training.recipe.pseudo import PseudoLabels
from training.recipe.recipe import Recipe
from training.recipe.recipe_file import load_recipe

Features = NDArray[np.float32]
Ints = NDArray[np.int64]
EVERY = PseudoLabels(rounds=1, certainty=0.0, share=1.0, most=20_000)
JUDGES = 600
STRANGER = -1


class Pictures(NamedTuple):
    """Photos with broad features [N, F], classes, groups of near copies, and whether they are in the test folder."""

    paths: Sequence[Path]
    features: Features
    labels: Ints
    groups: Ints
    tests: NDArray[np.bool_]


class Result(NamedTuple):
    """What a head reaches on the test photos, and its pseudo-labels: how many, and the share of right ones."""

    accuracy: float
    joined: int = 0
    right: float = 1.0


def described_pictures(root: Path) -> Pictures:
    """Photos of class folders; every second one is to test where there is no test folder."""
    from training.network.device import start_keras
    from training.on_features.describe import described

    start_keras(one_thread=True)
    recipe = Recipe()
    dataset = find_dataset(root)
    decoded = decode_all(
        [photo.path for photo in dataset.photos], Geometry(recipe.input.geometry, recipe.input.size_px)
    )
    good = np.flatnonzero(decoded.rows >= 0)
    samples = Samples(dataset.photos, decoded.rows, decoded.hashes, decoded.pixels).take(good)
    features = described(samples, recipe, Reporter(Console(stderr=True)))
    groups = find_near_duplicates(
        samples.hashes, decoded.difference_hashes[good], samples.rows, samples.pixels, features
    )
    tests = np.array([photo.split == "test" for photo in samples.photos])
    tests = tests if tests.any() else np.arange(len(tests)) % 2 == 1
    paths = [photo.path for photo in samples.photos]
    return Pictures(paths, np.asarray(features), samples.labels, np.array(groups, np.int64), tests)


@dataclass(frozen=True)
class Draw:
    """Some labelled photos of each class; the others of the training photos are the pool. None shows a test photo.

    Attributes:
        labelled, pool, tests: places in `pictures`.
        head: learnt from the labels.
    """

    pictures: Pictures
    labelled: Ints
    pool: Ints
    tests: Ints
    sides: Sides
    head: Candidate

    @classmethod
    def of(cls, pictures: Pictures, count: int, seed: int) -> "Draw":
        """Draw so many photos of each class."""
        labels, groups, tests = pictures.labels, pictures.groups, np.flatnonzero(pictures.tests)
        rest = np.flatnonzero(~pictures.tests & ~np.isin(groups, groups[tests]))
        rng = np.random.default_rng(seed)
        classes = int(labels.max()) + 1
        labelled = np.sort(
            np.concatenate([rng.permutation(rest[labels[rest] == one])[:count] for one in range(classes)])
        )
        pool = rest[~np.isin(groups[rest], groups[labelled])]
        sides = Sides(labels, groups, labelled, labels[:0], tests, classes)
        return cls(pictures, labelled, pool, tests, sides, on_broad(pictures.features, sides, seed))

    @property
    def alone(self) -> Result:
        """The head without pseudo-labels."""
        assert self.head.taught is not None
        return Result(self._accuracy(self.head.taught))

    def recipe(self, strangers: Pictures | None = None) -> Result:
        """The head by the recipe; of strangers it does not know that they are of no class."""
        features, true = self.pictures.features[self.pool], self.pictures.labels[self.pool]
        if strangers is not None:
            features = np.concatenate([features, strangers.features])
            true = np.concatenate([true, np.full(len(strangers.labels), STRANGER)])
        known = self._familiar(features)
        taught = self._taught(features[known], load_recipe("pseudo-labels").pseudo_labels)
        return self._result(taught, true[known])

    def every_answer(self) -> Result:
        """The head that learns once from all of its answers."""
        return self._result(self._taught(self.pictures.features[self.pool], EVERY), self.pictures.labels[self.pool])

    def _taught(self, features: Features, rule: PseudoLabels) -> SelfTaught:
        labels = self.pictures.labels[self.labelled]
        training = SelfTraining(unit_length(features), rule, find_temperature(self.head.honest, labels))
        return training.fit(self.head.rows(self.labelled), labels, self.sides.classes, self.head.c)

    @cached_property
    def _familiarity(self) -> tuple[Centres, float]:
        """Centres and threshold, as training.on_features.familiar finds them."""
        own, labels = self.pictures.features[self.labelled], self.pictures.labels[self.labelled]
        groups = self.pictures.groups[self.labelled]
        background, classes = read_broad(SHIPPED_BROAD).background, self.sides.classes
        judged = out_of_fold_familiarity(own, labels, groups, classes, background, 0)
        return fit_centres(own, labels, classes, background, 0), choose_threshold(judged).value

    def _familiar(self, features: Features) -> NDArray[np.bool_]:
        centres, threshold = self._familiarity
        return centres.familiarity(features)[0] >= threshold

    def _result(self, taught: SelfTaught, true: Ints) -> Result:
        right = taught.joined.classes == true[taught.joined.places]
        return Result(self._accuracy(taught), len(right), float(right.mean()) if len(right) else 1.0)

    def _accuracy(self, head: LinearHead) -> float:
        answers = head.logits(self.head.rows(self.tests)).argmax(axis=1)
        return float((answers == self.pictures.labels[self.tests]).mean())

    def links(self, place: Path, *, pseudo: bool) -> Path:
        """A dataset of links: labelled photos, with pseudo-labels those as if people had given them, and judges."""
        shutil.rmtree(place, ignore_errors=True)
        lessons = [(number, self.pictures.labels[number]) for number in self.labelled]
        if pseudo:
            pool = self.pool[self._familiar(self.pictures.features[self.pool])]
            joined = self._taught(self.pictures.features[pool], load_recipe("pseudo-labels").pseudo_labels).joined
            lessons += list(zip(pool[joined.places], joined.classes, strict=True))
        some = self.tests[np.linspace(0, len(self.tests) - 1, min(JUDGES, len(self.tests))).astype(int)]
        judges = [(number, self.pictures.labels[number]) for number in some]
        for side, photos in (("train", lessons), ("val", judges)):
            for number, label in photos:
                folder = place / side / f"class{label}"
                folder.mkdir(parents=True, exist_ok=True)
                path = self.pictures.paths[number]
                (folder / f"{number}{path.suffix}").symlink_to(path)
        return place


def fine_tuned(draw: Draw, place: Path, seed: int) -> dict[str, Any]:
    """What the default recipe reaches on the judges, without and with pseudo-labels, and whether it kept tuning."""
    from training.pipeline import train_run

    row: dict[str, Any] = {}
    for words, pseudo in (("tuned alone", False), ("tuned with pseudo-labels", True)):
        here = place / words.replace(" ", "-")
        run = here / "run"
        if not (run / "run.json").exists():
            dataset = draw.links(here / "photos", pseudo=pseudo)
            reporter = Reporter(Console(file=io.StringIO()))
            train_run(dataset, run, Recipe().with_options({"seed": seed}), None, reporter)
        told = json.loads((run / "run.json").read_text())
        row[words] = round(told["metrics"]["validation"]["accuracy"], 4)
        row[f"{words}: kept"] = told["choice"]["kept"]
    return row

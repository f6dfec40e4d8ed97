"""Which split each photo gets, by its group and by its label: train, validation or test."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract.labels import OTHER, Side
from training.dataset.digests import Digests
from training.dataset.groups.together import Groups
from training.dataset.labelled.labelled import Labelled
from training.dataset.layout import HELD_OUT
from training.dataset.samples import Samples
from training.dataset.split import split_groups
from training.errors import DatasetError
from training.progress import Reporter
from training.recipe.recipe import Recipe


class ByLabel(NamedTuple):
    """Photos that people labelled or collected, bool [N] each.

    Attributes:
        taught: to learn from: they teach, with their whole groups.
        held_out: no head learns from them.
        collected: from the web: they are among those that teach.
    """

    taught: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    collected: NDArray[np.bool_]


def by_label(hashes: Digests, labelled: Labelled | None, collected: NDArray[np.bool_]) -> ByLabel:
    """Which photos people labelled, or collected."""
    if labelled is None:
        return ByLabel(collected, np.zeros(len(hashes), np.bool_), collected)
    held_out = labelled.places_of(Side.HELD_OUT, hashes) & ~collected
    return ByLabel(labelled.places_of(Side.LEARN, hashes) | collected, held_out, collected)


def assign_splits(
    samples: Samples,
    group_of: Groups,
    labels: tuple[str, ...],
    recipe: Recipe,
    reporter: Reporter,
    hold_out_from: int,
    by_label: ByLabel,
) -> tuple[Samples, NDArray[np.int64]]:
    """Assign photos to splits. Training photos with a near duplicate in validation or test, or with a photo of their
    named group there, are left out, and so are validation photos with one in test: both would flatter the figures.

    Labelled photos that are held out join the validation photos. Where there are no others, they are left out, because
    they alone are too few to judge, and more often wrong than others.

    Photos from the web teach. Where there are some, others are held out however few these are, because otherwise all
    would judge in turn.
    """
    photos = [photo.on("val") if photo.split == HELD_OUT else photo for photo in samples.photos]
    split = np.array([photo.split for photo in photos])
    groups, named = group_of.apart, " or are of the same group" if group_of.named else ""
    strangers = np.isin(split, ("val", "test")) & by_label.collected
    _say_strangers(int(strangers.sum()), reporter)
    twins = (split == "val") & np.isin(groups, groups[split == "test"]) & ~strangers
    if twins.any():
        reporter.say(f"{int(twins.sum())} validation photos are left out, because test photos show the same{named}.")
    left_out = twins | strangers
    checked = np.isin(split, ("val", "test")) & ~left_out
    free = np.flatnonzero(~checked & ~left_out & ~np.isin(groups, groups[checked]))
    leaks = len(groups) - int(checked.sum()) - int(left_out.sum()) - len(free)
    if leaks:
        reporter.say(f"{leaks} training photos are left out, because validation or test photos show the same{named}.")
    validating = checked & (split == "val")
    if not (validating & ~by_label.held_out).any():
        taught = by_label.taught[free]
        sides = split_groups(
            samples.labels[free], group_of.together[free], recipe.validation, recipe.seed, labels, taught
        )
        hold_out_from = 0 if by_label.collected[free].any() else hold_out_from
        if len(free) < hold_out_from:  # after the split, which refuses classes of one photo
            sides = ["train"] * len(free)
            checked &= ~validating
            _say_held_out(int(validating.sum()), reporter)
    else:
        sides = ["train"] * len(free)
        _check_classes(samples.take(free), labels)
        _check_validation(samples.labels[validating], labels)
    if hold_out_from == 0 and "val" not in sides and not validating.any():
        raise DatasetError(
            "No photo is left to validate, because people labelled all of them to learn from, or they are from the web."
            " Add a folder of class folders with photos of your own, or label more photos: one in five is held out."
        )
    for number, side in zip(free, sides, strict=True):
        photos[number] = photos[number].on(side)
    checked[free] = True
    kept = np.flatnonzero(checked)
    return replace(samples, photos=tuple(photos)).take(kept), kept


def _say_strangers(photos: int, reporter: Reporter) -> None:
    if photos:
        reporter.say(
            f"{photos} photos to validate or test with are left out, because they are from the web. Move them to the"
            " training photos."
        )


def _say_held_out(photos: int, reporter: Reporter) -> None:
    if photos:
        reporter.say(f"{photos} labelled photos are held out: nothing learns from them, so `learn` can test with them.")


def _check_classes(train: Samples, labels: tuple[str, ...]) -> None:
    seen = {photo.label for photo in train.photos}
    for index, label in enumerate(labels):
        if index not in seen:
            raise DatasetError(f"The class {label!r} has no readable training photos. Add some, or remove the class.")


def _check_validation(classes: NDArray[np.int64], labels: tuple[str, ...]) -> None:
    if {labels[number] for number in np.unique(classes)} == {OTHER}:
        raise DatasetError(
            f"All photos to validate are of {OTHER!r}, so they tell nothing about the classes. Put photos of the "
            "classes there too, or remove the folder: then some photos are held out."
        )

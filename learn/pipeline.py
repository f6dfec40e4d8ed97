"""Learning from start to end: labels and a model file in, a new model file and the verdict of the gate out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.learned import Learned
from contract.memory import Memory, memory_path
from contract.session import read_model
from learn import words
from learn.errors import NothingToLearn
from learn.fitting.gate import REFUSED
from learn.fitting.layer import Floats, Ints, Layer
from learn.fitting.lessons import BESIDE, MOST_FILED, Said, said_of
from learn.fitting.trial import Judged, World, try_head
from learn.label_file import FiledPhoto, Label
from learn.material import Say, memory_of, network_of, photo_features
from learn.model.base import Base, Head, open_base
from learn.model.class_names import Names, earlier_names, numbers_of, renamed_labels, renamed_root, with_changes
from learn.model.familiar import strangers_passing, taught_centres, widened
from learn.model.write import divided, write_model
from learn.whole_network import reasons
from training.measure.calibrate import find_temperature

LEAST_TO_CALIBRATE = 100
AskAbout = Callable[[FiledPhoto, tuple[str, ...]], str | None]
"""Asks a person, blind, for the class of a photo; None if they do not know."""


@dataclass(frozen=True)
class Change:
    """A photo that the new model files elsewhere.

    Attributes:
        path: where it lies.
        before: class by the model that serves.
        after: class by the new model.
    """

    path: Path
    before: str
    after: str


@dataclass(frozen=True)
class LearnResult:
    """What learning came to.

    Attributes:
        data: bytes of the new model; None if the gate refused it, or it would equal the one that serves.
        judged: the verdict and its evidence.
        said: the labels that could be used.
        gone: labels whose photos cannot be read any more.
        changes: of the owner's filed photos.
        validation: photos that the gate had.
        strangers: pictures of no class that pass as familiar, by the serving head and by the new one, and how many
            there are.
        memory: the companion file of the root; None without.
        whole_network: why the whole network should learn, which `train` lets it; empty if heads do.
    """

    data: bytes | None
    judged: Judged
    said: Said
    gone: int
    changes: tuple[Change, ...]
    validation: int
    strangers: tuple[int, int, int]
    memory: Path | None
    whole_network: tuple[str, ...] = ()


def learn(
    model: Path,
    labels: Sequence[Label],
    filed: Sequence[FiledPhoto],
    say: Say,
    ask: AskAbout | None = None,
    *,
    threads: int = 1,
    cache: Path | None = None,
    at: datetime | None = None,
    rename: Names | None = None,
) -> LearnResult:
    """Learn from labels, and judge what was learnt; nothing is written but the cache of features.

    Args:
        model: the model that serves. Learning begins from its root.
        labels: in force.
        filed: the owner's filed photos of which nobody said anything, youngest first.
        say: called after each step.
        ask: asks a person about photos on which the serving and the new model differ; None to ask nobody.
        threads: threads that read photos.
        cache: folder of the cache of features; by default that of this user.
        at: time that the new model names; by default the present.
        rename: new names of classes, by their present ones: two with one name are merged, an empty name retires one.
            They stay in force when the new model learns again.

    Raises:
        NothingToLearn: people have said nothing yet, or too little.
        PhototriageError: the model cannot learn, or no labelled photo can be read.
    """
    if not labels and not rename:
        raise NothingToLearn(words.NOBODY)
    labels = sorted(labels, key=lambda one: one.sha256)  # their order does not matter
    labelled = {one.sha256 for one in labels}
    filed = [one for one in filed if one.sha256 not in labelled][:MOST_FILED]
    base = open_base(read_model(model))
    memory = memory_of(model, base)
    say("model", words.about(base, memory))
    features = photo_features(network_of(base), labels, filed, say, threads, cache)
    before = {**base.names, **_renamed(base.serving)}
    base = replace(base, names=with_changes(base.root.contract.labels, base.names, rename or {}))
    root = renamed_root(base.root, base.names, _anchors(base, memory))
    said = said_of(renamed_labels(labels, {**base.names, **(rename or {})}), features, root.contract.labels)
    if not (said.taught or rename):
        raise words.nothing(labels, said)
    say("labels", words.labels(said))
    others = [one for one in filed if one.sha256 in features]
    _check_new(model, memory, said, len(others))
    world = _world(base, root, said, memory, [features[one.sha256] for one in others])
    judged = try_head(world, None if ask is None else lambda place: ask(others[place], said.classes))
    centres = taught_centres(root, said)
    strangers = strangers_passing(base, said, memory, centres)
    changes = _changes(world, judged, others)
    learned = _learned(root, said, judged, at or datetime.now(UTC), earlier_names(before, rename or {}))
    data = _written(base, root, world, judged, centres, learned)
    kept = memory_path(model) if memory is not None else None
    limits = tuple(reasons(base.root.contract.data, world, judged))
    return LearnResult(
        data, judged, said, len(labels) - len(said.labels), changes, len(world.truth), strangers, kept, limits
    )  # fmt: skip


def _check_new(model: Path, memory: Memory | None, said: Said, filed: int) -> None:
    """Check that something says what a new class is not."""
    if memory is None and said.new and filed < BESIDE:
        raise words.cannot_be_told(model, said, filed)


def _written(
    base: Base, root: Head, world: World, judged: Judged, centres: tuple[Floats, Ints, Floats], learned: Learned
) -> bytes | None:
    """Return the bytes of the new model; None if it is refused, or the model in use has learnt the same."""
    if judged.verdict.kind == REFUSED or judged.layer is world.serving:
        return None
    temperature, classes = _temperature(judged.layer, world), world.said.classes
    head = divided(judged.layer, temperature)
    if _is_same(base.serving, head, centres, classes):
        return None
    return write_model(base, root, head, centres, classes, temperature, learned)


def _anchors(base: Base, memory: Memory | None) -> Floats:
    """Features of photos that the root remembers, float32 [M, F]."""
    return np.zeros((0, len(base.root.layer.kernel)), np.float32) if memory is None else memory.anchors()


def _world(base: Base, root: Head, said: Said, memory: Memory | None, filed: Sequence[Floats]) -> World:
    none: Floats = np.zeros((0, len(root.layer.kernel)), np.float32)
    rows, truth = (none, np.zeros(0, np.int64)) if memory is None else memory.gate()
    truth = numbers_of(base.root.contract.labels, base.names)[1][truth]
    return World(
        root=widened(root.layer, said.classes),
        serving=_serving(base, root, said.classes),
        said=said,
        memory=_anchors(base, memory),
        validation=rows[truth >= 0],
        truth=truth[truth >= 0],
        filed=np.stack(filed) if filed else none,
        known=len(root.contract.labels),
    )


def _serving(base: Base, root: Head, classes: tuple[str, ...]) -> Layer:
    """The serving head with the columns of the new one, as far as it has them.

    A class that was learnt before may not be in force any more. What a merged class answers is that of the root.
    """
    wide, own = widened(root.layer, classes), base.serving
    kernel, bias = wide.kernel.copy(), wide.bias.copy()
    called = [base.names.get(name, name) for name in own.contract.labels]
    for number, name in enumerate(called):
        if name in classes and called.count(name) == 1:
            place = classes.index(name)
            kernel[:, place], bias[place] = own.layer.kernel[:, number], own.layer.bias[number]
    return Layer(kernel, bias)


def _changes(world: World, judged: Judged, filed: Sequence[FiledPhoto]) -> tuple[Change, ...]:
    if not filed:
        return ()
    before, after = world.serving.answers(world.filed), judged.layer.answers(world.filed)
    names = world.said.classes
    return tuple(
        Change(one.path, names[was], names[now])
        for one, was, now in zip(filed, before.tolist(), after.tolist(), strict=True)
        if was != now
    )


def _temperature(layer: Layer, world: World) -> float:
    """Divisor of the logits that fits the validation photos best; 1 without enough of them."""
    if len(world.truth) < LEAST_TO_CALIBRATE:
        return 1.0
    return find_temperature(layer.logits(world.validation), world.truth)


def _is_same(serving: Head, head: Layer, centres: tuple[Floats, Ints, Floats], classes: tuple[str, ...]) -> bool:
    """Whether the model in use has learnt the same already."""
    pairs: list[tuple[NDArray[Any], NDArray[Any]]] = [
        (serving.layer.kernel, head.kernel),
        (serving.layer.bias, head.bias),
        (serving.centres, centres[0]),
        (serving.classes, centres[1]),
        (serving.others, centres[2]),
    ]
    return serving.contract.labels == classes and all(np.array_equal(one, other) for one, other in pairs)


def _learned(root: Head, said: Said, judged: Judged, at: datetime, renamed: Names) -> Learned:
    added, when = said.classes[len(root.contract.labels) :], at.isoformat(timespec="seconds")
    return Learned(root.sha256, len(said.taught), when, judged.verdict.kind, added, renamed)


def _renamed(serving: Head) -> Names:
    return {} if serving.contract.learned is None else serving.contract.learned.renamed

"""A new head, and what speaks for and against it: learn, ask, judge, and change less where its help is open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from learn.fitting.at_random import Dealt, dealt, looked_at
from learn.fitting.gate import (
    MOST_ASKED,
    OPEN,
    REFUSED,
    Duel,
    Verdict,
    changes_little,
    duel,
    judge,
    of_each_class,
)
from learn.fitting.head import fit
from learn.fitting.layer import Floats, Ints, Layer, Marks
from learn.fitting.lessons import Said, lessons_of
from learn.label_file import Label

PULL = 1.0
"""Strength of the pull to the root (docs/measurements.md)."""
PULL_BARE = 100.0
"""The same without a memory: little else holds the head then, and nothing shows what is lost (docs/measurements.md)."""
PULL_NEW = 0.1
"""Strength of the pull of a new class's kernel to 0."""
STEP, MOST_PULL = 2.0, 1e5
"""While a change is too large, the pull grows by STEP."""
FOLDS = 5

Ask = Callable[[int], str | None]
"""Asks a person, blind, for the class of a filed photo, by its place; None if they do not know."""


@dataclass(frozen=True)
class World:
    """What there is to learn from, and to judge by.

    Attributes:
        root: head of the root, widened to all classes.
        serving: the head that serves, widened likewise.
        said: the labels.
        memory: features of training photos, float32 [M, F].
        validation: features of photos that no head was fitted on, float32 [V, F].
        truth: their classes, [V].
        filed: features of the owner's photos of which nothing was said, float32 [N, F].
        known: number of classes of the root.
    """

    root: Layer
    serving: Layer
    said: Said
    memory: Floats
    validation: Floats
    truth: Ints
    filed: Floats
    known: int

    @property
    def new(self) -> int:
        """Number of classes that the root does not know."""
        return len(self.said.classes) - self.known

    def dealt(self) -> Dealt:
        """Whether the labels fit their photos better than labels that were dealt at random."""
        taught = self.said.taught
        if not taught:
            return Dealt(0, 0)
        some = [taught[place] for place in looked_at([one.founder for one in taught])]
        return dealt(self.root, self.said.rows(some), self.said.numbers(some))

    @property
    def pull(self) -> float:
        """Strength of the pull to the root that learning begins with."""
        return PULL if len(self.memory) else PULL_BARE

    def learn(self, pull: float, start: Layer | None = None) -> Layer:
        """The head that learnt from what people said."""
        return fit(
            self.root, lessons_of(self.root, self.said, self.memory, self.filed), pull, start, self.new, PULL_NEW
        )


@dataclass(frozen=True)
class Judged:
    """A head and what the gate says of it.

    Attributes:
        layer: the head, changed less than it was fitted where its help is open; the serving one if it is refused.
        verdict: of the gate.
        validation: what the validation photos say.
        by_class: the same of each class of the root.
        asked: what people said, blind, about filed photos.
        dealt: what the labels say of themselves.
        held_out: labels that were not learnt from. They decide nothing: the serving head is wrong there by selection.
        pull: with which the head was fitted.
    """

    layer: Layer
    verdict: Verdict
    validation: Duel
    by_class: tuple[Duel, ...]
    asked: Duel
    dealt: Dealt
    held_out: Duel
    pull: float


def try_head(world: World, ask: Ask | None, seed: int = 0) -> Judged:
    """Learn, and judge what was learnt.

    Args:
        world: the evidence.
        ask: asks a person; None where nobody can be asked.
        seed: of the drawing of questions.
    """
    layer = world.learn(world.pull)
    before, after = world.serving.answers(world.validation), layer.answers(world.validation)
    right = before == world.truth, after == world.truth
    validation = duel(*right)
    by_class = tuple(of_each_class(*right, world.truth, world.known))
    asked = Duel(0, 0, 0) if ask is None else _asked(world, layer, ask, seed)
    held = world.said.held_out
    held_out = Duel(0, 0, 0)
    if held:
        truth, said = world.said.numbers(held), world.said
        held_out = duel(said.answers(world.serving, held) == truth, said.answers(layer, held) == truth)
    labels = world.dealt()
    verdict = judge(validation, by_class, asked, at_random=labels.is_random)
    judged = Judged(layer, verdict, validation, by_class, asked, labels, held_out, world.pull)
    if judged.verdict.kind == REFUSED:
        return replace(judged, layer=world.serving)
    return _held_back(world, judged) if judged.verdict.kind == OPEN else judged


def _asked(world: World, layer: Layer, ask: Ask, seed: int) -> Duel:
    """Compare both heads on some of the owner's filed photos on which they differ, as far as a person can say.

    What was labelled is known already, the others are asked about. Both kinds are drawn from: among photos that nobody
    corrected the serving head is right by selection, and among the corrected ones wrong.
    """
    labelled = [one for one in world.said.taught if one.is_filed]
    serving = np.concatenate([world.serving.answers(world.filed), world.said.answers(world.serving, labelled)])
    new = _unseen_answers(world, layer, labelled)
    won = lost = photos = unanswered = 0
    for place in np.random.default_rng(seed).permutation(np.flatnonzero(serving != new))[:MOST_ASKED].tolist():
        said = ask(place) if place < len(world.filed) else labelled[place - len(world.filed)].said
        photos += 1
        unanswered += said is None
        won += world.said.classes[new[place]] == said
        lost += world.said.classes[serving[place]] == said
    return Duel(won, lost, photos, unanswered)


def _unseen_answers(world: World, layer: Layer, labelled: Sequence[Label]) -> Ints:
    """The answer to each filed photo by a head that learnt without it, neither as an anchor nor as a label."""
    count = len(world.filed)
    fold = np.random.default_rng(0).permutation(np.arange(count + len(labelled)) % FOLDS)
    given = np.empty(len(fold), np.int64)
    for number in range(FOLDS):
        held = fold == number
        if not held.any():
            continue
        left_out = {one.sha256 for one, out in zip(labelled, held[count:].tolist(), strict=True) if out}
        rest = replace(world, said=world.said.without(left_out), filed=world.filed[~held[:count]])
        head = rest.learn(rest.pull, layer)
        given[:count][held[:count]] = head.answers(world.filed[held[:count]])
        some = [one for one in labelled if one.sha256 in left_out]
        given[count:][held[count:]] = world.said.answers(head, some)
    return given


def _held_back(world: World, judged: Judged) -> Judged:
    """Raise the pull until few answers change. What a new class claims of the owner's photos is no change."""
    before = world.serving.answers(world.validation), world.serving.answers(world.filed)
    layer, pull = judged.layer, judged.pull
    while not changes_little(
        layer.answers(world.validation) != before[0], _changed(world, layer.answers(world.filed), before[1])
    ):
        pull *= STEP
        if pull > MOST_PULL:
            return replace(judged, layer=world.serving, pull=pull)
        layer = world.learn(pull, layer)
    return replace(judged, layer=layer, pull=pull)


def _changed(world: World, after: Ints, before: Ints) -> Marks:
    changed: Marks = (after != before) & (after < world.known)
    return changed

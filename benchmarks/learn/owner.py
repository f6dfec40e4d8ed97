"""A simulated owner: what is filed, what is corrected, what is learnt from that, and what the gate says."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.learn.photos import Photos
from benchmarks.learn.questions import ask
from learn.fitting.at_random import Dealt, dealt
from learn.fitting.gate import OPEN, REFUSED, Duel, Verdict, changes_little, duel, judge, of_each_class
from learn.fitting.head import Lessons, anchors, fit, joined, labels
from learn.fitting.layer import Floats, Ints, Layer, Marks
from learn.fitting.lessons import HEAVIEST, TOGETHER
from learn.fitting.lessons import remembered as of_memory
from learn.fitting.trial import FOLDS, MOST_PULL, PULL, STEP

FILED = 400
REMEMBERED = 1000


@dataclass(frozen=True)
class Inbox:
    """The owner's filed photos.

    Attributes:
        filed: the photos, with their true classes.
        said: what the owner said of each photo, [N]; NOTHING where nothing was said.
    """

    filed: Photos
    said: Ints

    def without(self, places: Marks) -> "Inbox":
        """All but some."""
        return Inbox(self.filed.take(np.flatnonzero(~places)), self.said[~places])


NOTHING = -1


@dataclass(frozen=True)
class World:
    """What there is beside the owner.

    Attributes:
        root: the head that learning begins from; it serves.
        memory: features of training photos, float32 [N, F].
        validation: photos that no head was fitted on.
    """

    root: Layer
    memory: Floats
    validation: Photos

    def right(self, head: Layer) -> Marks:
        """Which validation photos a head answers rightly."""
        right: Marks = head.answers(self.validation.features) == self.validation.labels
        return right


def remembered(root: Layer, train: Photos) -> Floats:
    """Features of the training photos that a model remembers, float32 [REMEMBERED, F].

    Half of them are those between whose two best classes the root hesitates most: these hold the borders, which
    confident photos leave to the labels. The others are drawn at random, because a new class may lie anywhere.
    """
    best = np.sort(root.logits(train.features), axis=1)
    order = np.argsort(best[:, -1] - best[:, -2], kind="stable")
    close, others = order[: REMEMBERED // 2], order[REMEMBERED // 2 :]
    drawn = np.random.default_rng(0).permutation(others)[: REMEMBERED - len(close)]
    memory: Floats = train.features[np.sort(np.concatenate([close, drawn]))]
    return memory


def corrects(root: Layer, filed: Photos, mistakes: int | None, seed: int) -> Inbox:
    """An owner who corrects some of the mistakes, drawn at random; None: all."""
    serving = root.answers(filed.features)
    wrong = np.random.default_rng((seed, 1)).permutation(np.flatnonzero(serving != filed.labels))[:mistakes]
    said = np.full(len(filed), NOTHING)
    said[wrong] = filed.labels[wrong]
    return Inbox(filed, said)


def weight_of(count: int) -> float:
    """Weight of each of `count` labels."""
    return float(np.clip(TOGETHER / max(1, count), 1.0, HEAVIEST))


def lessons_of(world: World, inbox: Inbox, weight: Callable[[int], float] = weight_of) -> Lessons:
    """Labels as hard targets; remembered photos and those of which nothing was said as anchors."""
    taught = inbox.said != NOTHING
    features, root = inbox.filed.features, world.root
    return joined(
        of_memory(root, world.memory, np.unique(inbox.said[taught])),
        anchors(root, features[~taught]),
        labels(inbox.said[taught], features[taught], len(root.bias), weight(int(taught.sum()))),
    )


def learn(world: World, inbox: Inbox, pull: float = PULL, start: Layer | None = None) -> Layer:
    """The head that learnt from what the owner said."""
    return fit(world.root, lessons_of(world, inbox), pull, start)


def unseen_answers(world: World, inbox: Inbox, head: Layer) -> Ints:
    """The answer to each filed photo by a head that learnt without it, neither as a label nor as an anchor, [N].

    Questions about these answers are fair. Among the photos that were not corrected the serving head is right by
    selection, and among the corrected ones wrong.

    Args:
        head: the one that learnt from all; searches begin there.
    """
    fold = np.random.default_rng(0).permutation(np.arange(len(inbox.said)) % FOLDS)
    given = np.empty(len(inbox.said), np.int64)
    for number in range(FOLDS):
        held = fold == number
        given[held] = learn(world, inbox.without(held), start=head).answers(inbox.filed.features[held])
    return given


@dataclass(frozen=True)
class Learnt:
    """What comes of it.

    Attributes:
        head: as fitted.
        served: the one that would serve: the root where the head is refused, a weaker change where its help is open.
        verdict: of the gate.
        asked: what the questions found.
        validation: what the validation photos say of the fitted head.
        pull: of the served one.
    """

    head: Layer
    served: Layer
    verdict: Verdict
    asked: Duel
    validation: Duel
    pull: float


def learn_and_judge(world: World, inbox: Inbox, seed: int) -> Learnt:
    """Learn, ask, judge, and change less where it is open whether that helps."""
    head = learn(world, inbox)
    serving = world.root.answers(inbox.filed.features)
    asked = ask(serving, unseen_answers(world, inbox, head), inbox.filed.labels, seed)
    before, after = world.right(world.root), world.right(head)
    validation = duel(before, after)
    by_class = of_each_class(before, after, world.validation.labels, len(world.root.bias))
    verdict = judge(validation, by_class, asked, at_random=said_at_random(world, inbox).is_random)
    learnt = Learnt(head, head, verdict, asked, validation, PULL)
    if verdict.kind == REFUSED:
        return replace(learnt, served=world.root)
    return held_back(world, inbox, learnt) if verdict.kind == OPEN else learnt


def said_at_random(world: World, inbox: Inbox) -> Dealt:
    """Whether what the owner said fits the photos better than words dealt at random."""
    taught = np.flatnonzero(inbox.said != NOTHING)
    return dealt(world.root, inbox.filed.features[taught], inbox.said[taught])


def held_back(world: World, inbox: Inbox, learnt: Learnt) -> Learnt:
    """Raise the pull until few answers change: to validation photos, and to filed ones that were not corrected."""
    validation, untold = world.validation.features, inbox.filed.features[inbox.said == NOTHING]
    before = world.root.answers(validation), world.root.answers(untold)
    head, pull = learnt.head, learnt.pull
    while not changes_little(head.answers(validation) != before[0], head.answers(untold) != before[1]):
        pull *= STEP
        if pull > MOST_PULL:
            return replace(learnt, served=world.root, pull=pull)
        head = learn(world, inbox, pull, head)
    return replace(learnt, served=head, pull=pull)

"""Learning on stored features: the root is kept, order does not matter, and the gate says what it may say."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.learn.owner import NOTHING, Inbox, World, corrects, held_back, learn, learn_and_judge, unseen_answers
from benchmarks.learn.photos import Photos
from benchmarks.learn.questions import ask
from benchmarks.learn.stored import as_bytes, from_bytes
from contract.session import open_model
from contract.shipped import SHIPPED_MODEL
from learn.fitting.gate import HELPS, OPEN, REFUSED, Duel, changes_little, duel, judge, of_each_class
from learn.fitting.head import Lessons, anchors, fit, joined, labels
from learn.fitting.layer import Layer
from learn.model.base import open_base
from learn.model.graph import features_of

pytestmark = pytest.mark.skipif(find_spec("scipy") is None, reason="scipy is not installed here")

CLASSES, WIDTH = 3, 24
NONE = Duel(0, 0, 0)


def photos(count: int, seed: int, moved: float = 0.0) -> Photos:
    """Photos around a direction of their class; another camera moves all of them."""
    rng = np.random.default_rng(seed)
    known = rng.integers(0, CLASSES, count)
    values = 2 * np.eye(CLASSES, WIDTH)[known] + rng.normal(0, 0.7, (count, WIDTH))
    values[:, 0] += moved
    return Photos((values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32), known)


@pytest.fixture(scope="module")
def world() -> World:
    """A root that learnt from photos of one camera."""
    train = photos(600, 0)
    nothing = Layer(np.zeros((WIDTH, CLASSES), np.float32), np.zeros(CLASSES, np.float32))
    root = fit(nothing, labels(train.labels, train.features, CLASSES), 0.3)
    return World(root, train.features[:200], photos(500, 1))


def same(one: Layer, other: Layer) -> bool:
    return one.kernel.tobytes() == other.kernel.tobytes() and one.bias.tobytes() == other.bias.tobytes()


def test_without_a_label_the_head_is_the_root_to_the_bit(world: World) -> None:
    filed = photos(200, 2, moved=0.6)
    assert same(learn(world, Inbox(filed, np.full(200, NOTHING))), world.root)
    assert not same(learn(world, corrects(world.root, filed, 1, 0)), world.root)


def test_two_runs_and_any_order_give_the_same_bytes(world: World) -> None:
    inbox = corrects(world.root, photos(200, 2, moved=0.6), None, 0)
    order = np.random.default_rng(3).permutation(200)
    turned = Inbox(inbox.filed.take(order), inbox.said[order])
    backwards = replace(world, memory=world.memory[::-1])
    assert same(learn(world, inbox), learn(world, inbox))
    assert same(learn(world, inbox), learn(backwards, turned))


def test_corrections_help_the_camera_and_anchors_keep_what_was_known(world: World) -> None:
    inbox = corrects(world.root, photos(400, 2, moved=0.9), None, 0)
    bare = learn(replace(world, memory=world.memory[:0]), inbox.without(inbox.said == NOTHING))

    def right(head: Layer, some: Photos) -> float:
        return float((head.answers(some.features) == some.labels).mean())

    camera, elsewhere = photos(2000, 5, moved=0.9), photos(2000, 6)
    head = learn(world, inbox)
    assert right(head, camera) > right(world.root, camera) + 0.02
    assert right(head, elsewhere) > right(bare, elsewhere) + 0.05


def test_a_new_class_is_a_new_row_that_no_photo_gets_before_it_is_taught(world: World) -> None:
    root = world.root.widened(1)
    assert (root.logits(world.memory)[:, :CLASSES] == world.root.logits(world.memory)).all()
    assert (root.answers(world.memory) < CLASSES).all()
    new = np.zeros((40, WIDTH), np.float32)
    new[:, -1] = 1
    own = labels(np.full(20, CLASSES), new[:20], CLASSES + 1, 10.0)
    head = fit(root, joined(anchors(root, world.memory), own), 1.0, new=1, pull_new=0.1)
    assert (head.answers(new[20:]) == CLASSES).all()
    assert (head.answers(world.memory) == world.root.answers(world.memory)).mean() > 0.97


def test_the_answer_to_a_filed_photo_does_not_depend_on_what_was_said_of_it(world: World) -> None:
    inbox = corrects(world.root, photos(100, 2, moved=0.9), None, 0)
    head = learn(world, inbox)
    given = unseen_answers(world, inbox, head)
    for place in np.flatnonzero(inbox.said != NOTHING)[:3]:
        said = inbox.said.copy()
        said[place] = (said[place] + 1) % CLASSES
        assert unseen_answers(world, Inbox(inbox.filed, said), head)[place] == given[place]


def test_only_photos_on_which_both_heads_differ_are_asked_about_and_at_most_twenty() -> None:
    serving, new, truth = np.zeros(100, int), np.repeat([0, 1], 50), np.repeat([0, 1, 0, 1], 25)
    asked = ask(serving, new, truth, 0)
    assert asked.photos == asked.won + asked.lost == 20
    assert ask(serving, serving, truth, 0) == NONE
    assert ask(serving, new, np.full(100, 2), 0) == Duel(0, 0, 20), "neither is right"


@pytest.mark.parametrize(("won", "lost", "leans"), [(0, 0, False), (1, 1, False), (2, 1, True)])
def test_questions_lean_to_the_head_that_was_right_more_often(won: int, lost: int, leans: bool) -> None:
    assert Duel(won, lost, 20).leans == leans


@pytest.mark.parametrize(
    ("told", "validation", "asked", "verdict"),
    [
        ("nothing differs", Duel(0, 0, 1000), NONE, OPEN),
        ("five wins are no proof, one way", Duel(0, 0, 1000), Duel(4, 0, 20), OPEN),
        ("five to nothing is p = 0.031", Duel(0, 0, 1000), Duel(5, 0, 20), HELPS),
        ("harm where it was asked", Duel(9, 0, 1000), Duel(0, 5, 20), REFUSED),
        ("harm on validation photos", Duel(0, 5, 1000), NONE, REFUSED),
        ("a small loss there, but the owner's photos show help", Duel(0, 20, 1000), Duel(12, 1, 20), HELPS),
        ("a large loss there, whatever the owner's photos show", Duel(0, 21, 1000), Duel(12, 1, 20), REFUSED),
    ],
)
def test_the_gate_gives_the_verdict_that_its_evidence_allows(
    told: str, validation: Duel, asked: Duel, verdict: str
) -> None:
    assert judge(validation, [], asked).kind == verdict, told


def test_a_class_that_falls_is_refused_only_where_enough_photos_show_it() -> None:
    helps = Duel(12, 1, 20)
    for falls, verdict in ((Duel(0, 10, 200), REFUSED), (Duel(0, 10, 99), HELPS), (Duel(3, 7, 200), HELPS)):
        assert judge(Duel(10, 12, 1000), [falls, Duel(10, 0, 200)], helps).kind == verdict, falls


def test_heads_that_differ_by_chance_alone_are_refused_at_most_five_times_in_a_hundred() -> None:
    rng, verdicts = np.random.default_rng(0), []
    for _ in range(400):
        differ, first = rng.random(1000) < 0.05, rng.random(1000) < 0.5
        before, after, classes = differ & first, differ & ~first, rng.integers(0, 6, 1000)
        own = rng.integers(0, 2, 20)
        asked = Duel(int(own.sum()), int((1 - own).sum()), 20)
        verdicts.append(judge(duel(before, after), of_each_class(before, after, classes, 6), asked).kind)
    assert verdicts.count(REFUSED) / len(verdicts) <= 0.07, "0.05 and what 400 draws scatter"


def test_labels_of_another_class_than_the_photos_show_are_never_taken_as_help(world: World) -> None:
    filed = photos(300, 2, moved=0.6)
    flooded = np.where(filed.labels != 1, 1, NOTHING)
    learnt = learn_and_judge(world, Inbox(filed, flooded), 0)
    assert learnt.verdict.kind == REFUSED
    assert same(learnt.served, world.root)


def test_while_help_is_open_the_pull_grows_until_few_answers_change(world: World) -> None:
    inbox = corrects(world.root, photos(300, 2, moved=0.9), None, 0)
    learnt = learn_and_judge(world, inbox, 0)
    held = held_back(world, inbox, learnt)
    untold = inbox.filed.features[inbox.said == NOTHING]
    changed = [held.served.answers(some) != world.root.answers(some) for some in (world.validation.features, untold)]
    assert changes_little(*changed)
    assert held.pull >= learnt.pull


def test_one_byte_a_feature_is_right_to_half_a_step() -> None:
    features = photos(50, 0).features ** 2
    again = from_bytes(*as_bytes(features))
    assert np.abs(again - features).max() <= features.max() / 255 / 2 * 1.001


def test_features_and_the_layer_that_was_cut_off_give_the_answers_of_the_model() -> None:
    base = open_base(SHIPPED_MODEL.read_bytes())
    compute, layer = features_of(base.proto), base.root.layer
    model = open_model(SHIPPED_MODEL, threads=1)
    side = model.contract.geometry.size_px
    drawn = np.random.default_rng(0).integers(0, 256, (2, side, side, 3)).astype(np.uint8)
    features = compute(drawn)
    assert np.linalg.norm(features[:, : len(layer.kernel) // 2], axis=1) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(features[:, len(layer.kernel) // 2 :], axis=1) == pytest.approx(1, abs=1e-5)
    targets = anchors(layer, features).targets
    assert targets == pytest.approx(model.answer(drawn).probabilities, abs=1e-5)


def test_lessons_keep_their_photos_together_in_any_order() -> None:
    known = photos(30, 0)
    lessons = labels(known.labels, known.features, CLASSES)
    order = np.random.default_rng(0).permutation(30)
    turned = Lessons(lessons.features[order], lessons.targets[order], lessons.weights[order]).in_order()
    assert turned.features.tobytes() == lessons.in_order().features.tobytes()
    assert turned.targets.tobytes() == lessons.in_order().targets.tobytes()

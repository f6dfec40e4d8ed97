"""Questions about a new head are fair: each is about an answer of a head that learnt without that photo."""

from dataclasses import replace

import numpy as np

from learn.fitting.gate import HELPS, OPEN
from learn.fitting.head import Lessons
from learn.fitting.layer import Floats, Layer
from learn.fitting.lessons import UNNAMED, Said, lessons_of
from learn.fitting.trial import PULL, PULL_BARE, World, try_head
from learn.label_file import Label

WIDTH, WIDE = 8, 200


def _rows(count: int, seed: int, towards: int) -> Floats:
    rng = np.random.default_rng(seed)
    rows = np.abs(rng.normal(0, 0.2, (count, WIDTH))).astype(np.float32)
    rows[:, towards] += 1
    normed: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normed


def _world(corrected: int, filed: int) -> World:
    """A root that takes direction 2 for class 0, although it is class 1; people corrected some such photos."""
    kernel = np.zeros((WIDTH, 2), np.float32)
    kernel[0, 0] = kernel[1, 1] = 8
    kernel[2, 0] = 2
    root = Layer(kernel, np.zeros(2, np.float32))
    rows = _rows(corrected, 1, 2)
    labels = [Label(f"{n:064x}", "b", None, f"{n:064x}", False, False, "a", is_filed=True) for n in range(corrected)]
    said = Said(labels, {one.sha256: row for one, row in zip(labels, rows, strict=True)}, ("a", "b"), (), {})
    memory = np.concatenate([_rows(50, 2, 0), _rows(50, 3, 1)])
    validation = np.concatenate([_rows(200, 4, 0), _rows(200, 5, 1)])
    truth = np.repeat([0, 1], 200)
    return World(root, root, said, memory, validation, truth, _rows(filed, 6, 0), known=2)


def test_corrections_that_generalize_are_shown_to_help_without_a_single_question() -> None:
    judged = try_head(_world(25, 40), lambda _: None)
    assert judged.verdict.kind == HELPS
    assert judged.asked.won >= 6
    assert judged.asked.lost == 0


def test_words_at_random_are_not_shown_to_help_although_the_head_learns_them_by_heart() -> None:
    world, rng = _world(40, 40), np.random.default_rng(9)
    rows = np.abs(rng.normal(0, 1, (40, WIDTH))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    said = [
        one._replace(said="ab"[number])
        for one, number in zip(world.said.labels, rng.integers(0, 2, 40).tolist(), strict=True)
    ]
    noise = Said(said, {one.sha256: row for one, row in zip(said, rows, strict=True)}, ("a", "b"), (), {})
    judged = try_head(replace(world, said=noise), lambda _: None)
    assert judged.verdict.kind != HELPS


def test_questions_without_an_answer_cannot_help() -> None:
    world = _world(25, 0)
    unsure = replace(world, filed=_rows(40, 7, 2))  # of the kind that was corrected, and nobody knows what they are
    assert try_head(unsure, lambda _: "b").verdict.kind == HELPS
    assert try_head(unsure, lambda _: None).verdict.kind == OPEN


def test_nobody_is_asked_where_nobody_can_be() -> None:
    judged = try_head(_world(25, 40), None)
    assert judged.asked.photos == 0
    assert judged.verdict.kind == OPEN


def test_where_help_is_open_the_head_is_held_back_until_few_answers_change() -> None:
    world = _world(25, 0)
    # Of the doubtful photos half are what people say of such: neither harm nor help, in classes too small to judge.
    rows = np.concatenate([_rows(40, 4, 0), _rows(40, 5, 1), _rows(20, 8, 2)])
    truth = np.concatenate([np.repeat([0, 1], 40), np.arange(20) % 2])
    judged = try_head(replace(world, validation=rows, truth=truth), None)
    assert judged.verdict.kind == OPEN
    assert (world.learn(PULL).answers(rows) != world.root.answers(rows)).mean() > 0.1
    assert (judged.layer.answers(rows) != world.root.answers(rows)).mean() <= 0.02


def test_without_a_memory_the_head_changes_less() -> None:
    world = _world(25, 40)
    bare = replace(world, memory=world.memory[:0], validation=world.validation[:0], truth=world.truth[:0])
    rows = _rows(200, 12, 2)
    with_memory, without = try_head(world, lambda _: None), try_head(bare, lambda _: None)
    assert with_memory.pull == PULL
    assert without.pull == PULL_BARE
    moved = [np.abs(each.layer.kernel - world.root.kernel).max() for each in (with_memory, without)]
    assert moved[1] < moved[0] / 3
    assert (without.layer.logits(rows)[:, 1] > world.root.logits(rows)[:, 1]).all(), "but it learns"


def test_remembered_photos_of_a_class_that_no_label_names_hold_more_but_not_against_a_new_class() -> None:
    world = _world(25, 0)
    held = lessons_of(world.root, world.said, world.memory, world.filed)
    assert _weights_of(held, world.memory) == [UNNAMED] * 50 + [1.0] * 50, "labels name class b alone"
    new = replace(world.said, classes=("a", "c", "b"), new=("b",))
    root = world.root.widened(1)
    assert set(_weights_of(lessons_of(root, new, world.memory, world.filed), world.memory)) == {1.0}


def _weights_of(lessons: Lessons, rows: Floats) -> list[float]:
    """Weights of some photos among lessons, which are in an order of their own."""
    weights = {row.tobytes(): weight for row, weight in zip(lessons.features, lessons.weights.tolist(), strict=True)}
    return [weights[row.tobytes()] for row in rows]


def test_lessons_come_in_the_order_that_the_fit_wants_so_that_no_photo_is_held_twice() -> None:
    world = _world(25, 40)
    held = lessons_of(world.root, world.said, world.memory, world.filed)
    assert held.in_order() is held


def _noise(count: int, seed: int) -> Floats:
    rows = np.abs(np.random.default_rng(seed).normal(0, 1, (count, WIDE))).astype(np.float32)
    normed: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normed


def _wide_world(said: list[str], filed: int, *, is_filed: bool = True) -> World:
    """Photos in so many directions that a head can learn each of them by heart."""
    kernel = np.zeros((WIDE, 2), np.float32)
    kernel[:, 0] = 0.05
    root, rows = Layer(kernel, np.zeros(2, np.float32)), _noise(len(said), 1)
    labels = [
        Label(f"{n:064x}", one, None, f"{n:064x}", False, False, "a", is_filed=is_filed) for n, one in enumerate(said)
    ]
    features = {one.sha256: row for one, row in zip(labels, rows, strict=True)}
    truth = np.zeros(0, np.int64)
    words = Said(labels, features, ("a", "b"), (), {})
    return World(root, root, words, _noise(1, 4), _noise(0, 0), truth, _noise(filed, 2), known=2)


def test_a_label_is_left_out_of_the_head_that_is_judged_on_it() -> None:
    words = ["ab"[number] for number in np.random.default_rng(3).integers(0, 2, 60).tolist()]
    world = _wide_world(words, 0)
    rows, truth = world.said.rows(world.said.taught), world.said.numbers(world.said.taught)
    assert (world.learn(PULL).answers(rows) == truth).mean() > 0.9, "learnt by heart"
    assert try_head(world, lambda _: None).asked.help > 0.05


def test_a_filed_photo_is_left_out_of_the_head_that_is_asked_about_it() -> None:
    world = _wide_world(["b"] * 8, 80, is_filed=False)
    asked: list[int] = []
    try_head(world, asked.append)
    learnt, before = world.learn(PULL).answers(world.filed[asked]), world.root.answers(world.filed[asked])
    assert (learnt == before).any(), "anchors hold the answer to it, and without it the head changes its mind"

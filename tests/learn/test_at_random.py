"""Labels that look dealt at random are refused, and right ones are not, whatever they are about."""

from dataclasses import replace

import numpy as np
import pytest

from learn.fitting.at_random import ENOUGH, Dealt, dealt, looked_at
from learn.fitting.gate import REFUSED
from learn.fitting.layer import Floats, Ints, Layer
from learn.fitting.lessons import Said
from learn.fitting.trial import World, try_head
from learn.label_file import Label
from learn.pipeline import LearnResult
from learn.show import facts, lines

CLASSES, WIDTH = 4, 24
ROOT = Layer(8 * np.eye(WIDTH, CLASSES, dtype=np.float32), np.zeros(CLASSES, np.float32))


def _photos(count: int, seed: int) -> tuple[Floats, Ints]:
    """Photos around a direction of their class, of which the root is wrong about one in six."""
    rng = np.random.default_rng(seed)
    known = rng.integers(0, CLASSES, count)
    rows = (2 * np.eye(CLASSES, WIDTH)[known] + rng.normal(0, 0.9, (count, WIDTH))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, known


def _corrections(count: int, seed: int) -> tuple[Floats, Ints]:
    rows, known = _photos(40 * count, seed)
    wrong = np.flatnonzero(ROOT.answers(rows) != known)[:count]
    return rows[wrong], known[wrong]


def _looks_random(rows: Floats, said: Ints, root: Layer = ROOT) -> bool:
    found = dealt(root, rows, said)
    assert found.movable >= ENOUGH
    return found.is_random


@pytest.mark.parametrize("count", [60, 200])
def test_right_labels_fit_their_photos_also_where_all_are_mistakes_of_the_model(count: int) -> None:
    for seed in range(3):
        assert not _looks_random(*_corrections(count, seed))
        assert not _looks_random(*_photos(4 * count, seed))


def test_labels_that_were_shuffled_or_photos_moved_at_random_do_not() -> None:
    found = []
    for seed in range(10):
        rng, (rows, known) = np.random.default_rng(seed), _photos(100, seed)
        found += [_looks_random(rows, rng.permutation(known))]
        found += [_looks_random(rows, (known + rng.integers(1, CLASSES, len(known))) % CLASSES)]
        rows, known = _corrections(60, seed)
        found += [_looks_random(rows, rng.permutation(known))]
    assert sum(found) >= 27, "one in twenty looks right by chance"


def test_photos_moved_away_from_what_the_root_answers_fit_nothing_although_none_lies_where_it_was() -> None:
    rng, (rows, _) = np.random.default_rng(0), _photos(400, 1)
    said = (ROOT.answers(rows) + rng.integers(1, CLASSES, 400)) % CLASSES
    assert _looks_random(rows, said)


def test_right_labels_fit_also_where_the_model_knows_nothing() -> None:
    rows, known = _photos(80, 3)
    nothing = Layer(np.zeros((WIDTH, CLASSES), np.float32), np.zeros(CLASSES, np.float32))
    assert not _looks_random(rows, known, nothing)
    assert _looks_random(rows, np.random.default_rng(0).permutation(known), nothing)


def test_corrections_fit_also_where_their_likeness_drowns_in_noise() -> None:
    wide = replace(ROOT, kernel=np.vstack([ROOT.kernel, np.zeros((600, CLASSES), np.float32)]))
    for seed in range(3):
        rows, known = _corrections(60, seed)
        noise = np.random.default_rng(seed).normal(0, 0.5, (60, 600)).astype(np.float32)
        assert not _looks_random(np.hstack([rows, noise]), known, wide)


def test_wrong_labels_among_right_ones_are_no_reason() -> None:
    for seed in range(5):
        rng, (rows, _) = np.random.default_rng(seed), _photos(300, seed)
        said = ROOT.answers(rows)  # of photos to which the root answers alike, nothing tells these labels apart
        assert not _looks_random(rows, np.where(rng.random(300) < 0.6, rng.integers(0, CLASSES, 300), said))


def test_few_labels_and_labels_of_one_class_tell_nothing() -> None:
    rows, known = _photos(12, 5)
    assert not dealt(ROOT, rows, np.random.default_rng(0).permutation(known)).is_random
    rows, _ = _photos(200, 6)
    assert dealt(ROOT, rows, np.zeros(200, np.int64)) == Dealt(200, 0)


def test_near_duplicates_count_as_one_label_and_of_many_labels_a_thousand_are_looked_at() -> None:
    groups = [f"{number // 100:02}" for number in range(3000)]
    assert looked_at(groups) == list(range(0, 3000, 100))
    names = [f"{number:04}" for number in range(3000)]
    many = looked_at(names)
    assert len(set(many)) == 1000
    assert many == looked_at(names), "two runs look at the same"


def _world(said: Ints, rows: Floats) -> World:
    names = ("a", "b", "c", "d")
    labels = [
        Label(f"{n:064x}", names[one], None, f"{n:064x}", False, False, "a", True)
        for n, one in enumerate(said.tolist())
    ]
    features = {one.sha256: row for one, row in zip(labels, rows, strict=True)}
    memory, (validation, truth) = _photos(200, 8)[0], _photos(300, 9)
    return World(ROOT, ROOT, Said(labels, features, names, (), {}), memory, validation, truth, _photos(50, 10)[0], 4)


def test_such_labels_are_refused_and_what_serves_stays_but_not_if_they_are_held_out() -> None:
    rows, known = _photos(60, 11)
    world = _world(np.random.default_rng(1).permutation(known), rows)
    judged = try_head(world, None)
    assert (judged.verdict.kind, judged.verdict.why) == (REFUSED, "labels")
    assert judged.layer is world.serving
    shown = LearnResult(None, judged, world.said, 0, (), 300, (0, 0, 0), None)
    assert next(lines(shown)).endswith("(by labels that do not fit their photos)")
    assert any("the 60 labels fit their photos no better" in one for one in lines(shown))
    assert facts(shown)["labels_at_random"]["is_random"] is True
    held = replace(world.said, labels=[one._replace(is_held_out=True) for one in world.said.labels])
    assert try_head(replace(world, said=held), None).verdict.kind != REFUSED

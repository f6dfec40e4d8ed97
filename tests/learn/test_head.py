"""The head: what anchors, labels and new classes do to it."""

import numpy as np

from learn.fitting.head import Lessons, anchors, fit, joined, labels
from learn.fitting.layer import Floats, Ints, Layer

CLASSES, WIDTH = 3, 12


def _photos(count: int, seed: int) -> tuple[Floats, Ints]:
    """Photos of classes that lie in directions of their own, at unit length."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, CLASSES, count)
    rows = np.abs(rng.normal(0, 0.25, (count, WIDTH))).astype(np.float32)
    rows[np.arange(count), classes] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), classes


def _root() -> Layer:
    kernel = np.zeros((WIDTH, CLASSES), np.float32)
    kernel[np.arange(CLASSES), np.arange(CLASSES)] = 8
    return Layer(kernel, np.zeros(CLASSES, np.float32))


def _taught(rows: Floats, classes: Ints, weight: float = 1.0, count: int = CLASSES) -> Lessons:
    return labels(classes, rows, count, np.full(len(rows), weight))


def test_anchors_alone_leave_the_root_as_it_is_to_the_bit() -> None:
    root = _root()
    head = fit(root, anchors(root, _photos(200, 0)[0]), 1.0)
    assert (head.kernel == root.kernel).all()
    assert (head.bias == root.bias).all()


def test_the_order_of_lessons_does_not_matter() -> None:
    root, (rows, classes) = _root(), _photos(60, 1)
    wrong = (classes + 1) % CLASSES
    held = anchors(root, _photos(100, 2)[0])
    one = fit(root, joined(held, _taught(rows, wrong)), 1.0)
    order = np.random.default_rng(0).permutation(60)
    other = fit(root, joined(_taught(rows[order], wrong[order]), held), 1.0)
    assert (one.kernel == other.kernel).all()
    assert (one.bias == other.bias).all()


def test_labels_change_the_answers_to_photos_like_theirs_and_anchors_hold_the_others() -> None:
    root, (rows, classes) = _root(), _photos(40, 3)
    first = rows[classes == 0]
    said = np.ones(len(first), np.int64)
    kept = _photos(200, 4)
    mine = first + np.float32(0.4) * np.eye(WIDTH, dtype=np.float32)[WIDTH - 1]  # a direction of their own
    head = fit(root, joined(anchors(root, kept[0]), _taught(mine, said, 5.0)), 0.01)
    assert (head.answers(mine) == 1).mean() > 0.9
    assert (head.answers(kept[0]) == root.answers(kept[0])).mean() > 0.97


def test_a_new_class_is_learnt_from_a_few_photos() -> None:
    root, rng = _root().widened(1), np.random.default_rng(5)
    new = np.abs(rng.normal(0, 0.25, (40, WIDTH))).astype(np.float32)
    new[:, 7] += 1
    new /= np.linalg.norm(new, axis=1, keepdims=True)
    taught = _taught(new[:10], np.full(10, CLASSES), 5.0, CLASSES + 1)
    kept = _photos(200, 6)[0]
    head = fit(root, joined(anchors(root, kept), taught), 1.0, new=1, pull_new=1.0)
    assert (head.answers(new[10:]) == CLASSES).mean() > 0.9
    assert (head.answers(kept) == root.answers(kept)).mean() > 0.97


def test_a_stronger_pull_changes_less() -> None:
    root, (rows, classes) = _root(), _photos(40, 7)
    lessons = joined(anchors(root, _photos(100, 8)[0]), _taught(rows, (classes + 1) % CLASSES))
    changes = [float(np.abs(fit(root, lessons, pull).kernel - root.kernel).sum()) for pull in (0.1, 10.0, 1000.0)]
    assert changes[0] > changes[1] > changes[2] > 0


def test_without_any_lesson_the_root_stays_as_it_is() -> None:
    root = _root()
    assert fit(root, anchors(root, np.zeros((0, WIDTH), np.float32)), 1.0) is root

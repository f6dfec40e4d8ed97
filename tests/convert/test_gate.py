"""The gate says yes to rounding and no, by a name of its own, to each way in which two answers can differ."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from onnx import parser

from common.drawing import draw_scene
from contract.geometry import Geometry, to_input
from convert import gate
from convert.errors import (
    NameMismatchError,
    NotProbabilitiesError,
    ParityError,
    ShapeMismatchError,
    TopClassMismatchError,
    TypeMismatchError,
    ValueMismatchError,
)
from convert.photos import parity_photos

Answers = npt.NDArray[np.floating[Any]]

LABELS = ("forest", "glacier", "sea")
NAMES = ("a.jpg", "b.jpg")
KERAS = np.array([[0.7, 0.2, 0.1], [0.1, 0.45, 0.45]], np.float32)
GEOMETRY = Geometry(size_px=32)


def compare(onnx_answers: Answers) -> gate.Parity:
    return gate.compare(KERAS, onnx_answers.astype(np.float32), NAMES, LABELS, "2 photos")


def moved(row: int, amount: float) -> Answers:
    """Answers in which `amount` of probability went from the second to the third class of one photo."""
    change = np.array([[0, -amount, amount] if i == row else [0, 0, 0] for i in range(2)])
    return np.asarray(KERAS + change)


def test_rounding_passes_and_is_reported() -> None:
    parity = compare(moved(0, 3e-5))
    assert parity.max_difference == pytest.approx(3e-5, rel=0.01)
    assert parity.ties == 0


def test_another_first_class_passes_only_in_a_tie() -> None:
    assert compare(moved(1, 2e-5)).ties == 1
    with pytest.raises(TopClassMismatchError):
        gate.compare(KERAS, KERAS[:, [1, 0, 2]], NAMES, LABELS, "2 photos")


def test_a_class_that_changes_within_the_value_limit_is_still_refused() -> None:
    keras = np.array([[0.50006, 0.49994, 0.0]], np.float32)
    with pytest.raises(TopClassMismatchError):
        gate.compare(keras, np.array([[0.49999, 0.50001, 0.0]], np.float32), ["a.jpg"], LABELS, "1 photo")


def test_refusals_name_the_photo_and_both_answers() -> None:
    with pytest.raises(ValueMismatchError) as caught:
        compare(moved(0, 2e-3))
    assert "a.jpg" in str(caught.value)
    assert "Keras says forest 0.700000, ONNX Runtime says forest 0.700000" in str(caught.value)
    assert "1 of 2 photos" in str(caught.value)
    with pytest.raises(TopClassMismatchError) as turned:
        gate.compare(KERAS, KERAS[:, [2, 1, 0]], NAMES, LABELS, "2 photos")
    assert "Keras says forest 0.700000, ONNX Runtime says sea 0.700000" in str(turned.value)


@pytest.mark.parametrize("row", [[np.nan, 0.5, 0.5], [0.7, 0.2, 0.3], [np.inf, 0, 0]])
def test_answers_that_are_no_probabilities_are_refused(row: list[float]) -> None:
    with pytest.raises(NotProbabilitiesError, match=r"b\.jpg"):
        compare(np.array([KERAS[0], row]))


def test_a_network_that_answers_nan_in_keras_is_refused() -> None:
    with pytest.raises(ValueMismatchError):
        gate.compare(np.full_like(KERAS[:1], np.nan), KERAS[:1], NAMES[:1], LABELS, "1 photo")


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(ShapeMismatchError):
        compare(KERAS[:, :2])


def graph(head: str) -> bytes:
    """Build a graph of which only inputs and outputs matter; `head` declares both."""
    body = "{ f = Cast<to=1>(images) r = ReduceMean<axes=[1,2], keepdims=0>(f) probabilities = Softmax(r) }"
    names = {"picture": "images", "scores": "probabilities"}
    for name, usual in names.items():
        body = body.replace(usual, name) if name in head else body
    if "float[batch,32,32,3]" in head:
        body = body.replace("Cast<to=1>", "Identity")
    if "double" in head:
        body = body.replace("<to=1>", "<to=11>")
    return bytes(parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> g {head} {body}').SerializeToString())


IN, OUT = "(uint8[batch,32,32,3] images)", "(float[batch,3] probabilities)"


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (f"(uint8[batch,32,32,3] picture) => {OUT}", NameMismatchError),
        (f"{IN} => (float[batch,3] scores)", NameMismatchError),
        (f"(float[batch,32,32,3] images) => {OUT}", TypeMismatchError),
        (f"{IN} => (double[batch,3] probabilities)", TypeMismatchError),
        (f"(uint8[batch,48,48,3] images) => {OUT}", ShapeMismatchError),
        (f"(uint8[4,32,32,3] images) => {OUT.replace('batch', '4')}", ShapeMismatchError),
        (f"(uint8[n,32,32,3] images) => {OUT.replace('batch', 'n')}", ShapeMismatchError),
    ],
)
def test_a_signature_that_breaks_the_contract_is_refused(head: str, error: type[ParityError]) -> None:
    with pytest.raises(error):
        gate.check_signature(gate.open_on_cpu(graph(head)), 32, 3)


def test_the_signature_of_the_contract_passes() -> None:
    gate.check_signature(gate.open_on_cpu(graph(f"{IN} => {OUT}")), 32, 3)
    with pytest.raises(ShapeMismatchError):
        gate.check_signature(gate.open_on_cpu(graph(f"{IN} => {OUT}")), 32, 4)


def test_photos_are_spread_over_the_whole_validation_set(tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.png" for i in range(10)]
    for i, path in enumerate(files):
        draw_scene("sea", i, (40, 30)).save(path)
    photos = parity_photos(files, GEOMETRY, wanted=5)
    assert photos.names == tuple(str(files[i]) for i in (0, 2, 4, 6, 8))
    assert str(photos) == "5 validation photos"
    np.testing.assert_array_equal(photos.images[2], to_input(files[4], GEOMETRY))


def test_photos_that_are_gone_or_broken_are_replaced_by_drawn_ones_and_it_is_said(tmp_path: Path) -> None:
    draw_scene("sea", 1, (40, 30)).save(tmp_path / "whole.png")
    (tmp_path / "broken.png").write_bytes(b"no photo")
    some = parity_photos([tmp_path / n for n in ("gone.png", "broken.png", "whole.png")], GEOMETRY, wanted=4)
    assert str(some) == "1 validation photos and 3 drawn pictures (validation photos: too few)"
    none = parity_photos([tmp_path / "gone.png"], GEOMETRY, wanted=4)
    assert str(none) == "4 drawn pictures (validation photos: gone)"
    assert none.images.shape == (4, 32, 32, 3)
    assert len({picture.tobytes() for picture in none.images}) == 4

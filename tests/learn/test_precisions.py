"""A model in a smaller precision learns like one in fp32: its last layer is float32 too."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from contract.geometry import to_input
from contract.memory import memory_path
from contract.metadata import Precision
from contract.session import open_model, read_model
from contract.shipped import SHIPPED_MODEL
from convert.smaller import lower
from learn.label_file import Label
from learn.model.write import finished
from learn.pipeline import LearnResult, learn
from learn.publish import files_of, publish
from tests.learn.conftest import Draw


def _lowered(kind: Precision, draw: Draw, file: Path) -> None:
    """Write the shipped model in another precision, with its memory."""
    data = read_model(SHIPPED_MODEL)
    shipped, proto = open_model(data, "cpu").contract, onnx.load_model_from_string(data)
    del proto.metadata_props[:]
    pictures = np.stack([to_input(draw("sea", seed), shipped.geometry) for seed in range(40, 44)])
    made = lower.to_fp16(proto) if kind == "fp16" else lower.to_int8(proto, pictures)
    model = finished(made, replace(shipped, precision=kind, golden=()))
    publish({memory_path(file): memory_path(SHIPPED_MODEL).read_bytes(), file: model})


def _learn(model: Path, photos: list[Path]) -> LearnResult:
    digests = [sha256(photo.read_bytes()).hexdigest() for photo in photos]
    labels = [
        Label(digest, "drawings", photo, digest, is_held_out=False, is_neither=False, shown="sea")
        for digest, photo in zip(digests, photos, strict=True)
    ]
    return learn(model, labels, [], lambda _, __: None, cache=model.parent / "cache")


def _weights(model: bytes) -> dict[str, bytes]:
    proto = onnx.load_model_from_string(model)
    return {one.name: numpy_helper.to_array(one).tobytes() for one in proto.graph.initializer}


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_a_model_in_a_smaller_precision_learns_a_class_by_its_own_features_and_keeps_its_backbone(
    kind: Precision, draw: Draw, tmp_path: Path
) -> None:
    old, new = tmp_path / "old.onnx", tmp_path / "new.onnx"
    _lowered(kind, draw, old)
    photos = [draw("street", seed) for seed in range(60)]
    result = _learn(old, photos)
    assert result.validation == 1_000
    assert abs(result.judged.validation.won - result.judged.validation.lost) <= 20
    publish(files_of(result, new))
    model = open_model(new, "cpu")
    assert (model.contract.precision, model.contract.labels[-1]) == (kind, "drawings")
    pictures = np.stack([to_input(draw("street", seed), model.contract.geometry) for seed in range(70, 76)])
    answers = model.answer(pictures)
    assert (answers.probabilities.argmax(axis=1) == len(model.contract.labels) - 1).all()
    assert model.contract.familiarity is not None
    assert answers.familiarity is not None
    assert (answers.familiarity >= model.contract.familiarity.threshold).all()
    before, after = _weights(old.read_bytes()), _weights(new.read_bytes())
    assert before.keys() == after.keys()
    assert len([name for name in before if before[name] != after[name]]) <= 5  # the head, and the centres
    assert _learn(new, photos).data is None, "nothing is new"

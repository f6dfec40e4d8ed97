"""Classes that are renamed, merged or retired, now and in all later learning."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from contract.memory import read_memory
from contract.session import open_model
from contract.shipped import SHIPPED_MODEL
from learn.errors import LearnError
from learn.fitting.gate import REFUSED
from learn.label_file import Label
from learn.model.base import open_base
from learn.model.class_names import earlier_names, numbers_of, with_changes
from learn.pipeline import LearnResult, learn
from learn.publish import files_of, publish
from tests.learn.conftest import Draw
from training.measure.metrics import log_loss, softmax

KNOWN = ("buildings", "forest", "glacier", "mountain", "sea", "street")


def _renamed(model: Path, names: dict[str, str], folder: Path) -> LearnResult:
    return learn(model, [], [], lambda _, __: None, cache=folder / "cache", rename=names)


def test_names_are_changed_by_their_present_ones_and_two_of_one_name_are_one_class() -> None:
    names = with_changes(KNOWN, {}, {"sea": "coast", "glacier": "mountain"})
    assert names == {"sea": "coast", "glacier": "mountain"}
    again = with_changes(KNOWN, names, {"coast": "shore", "street": ""})
    classes, numbers = numbers_of(KNOWN, again)
    assert classes == ("buildings", "forest", "mountain", "shore")
    assert numbers.tolist() == [0, 1, 2, 2, 3, -1]
    assert with_changes(KNOWN, names, {"coast": "sea"}) == {"glacier": "mountain"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"beach": "coast"}, "has no class beach; it has buildings, forest"),
        ({"sea": "a/b"}, "cannot be a class"),
        (dict.fromkeys(KNOWN[1:], ""), "two classes at least"),
    ],
)
def test_a_name_that_cannot_be_is_refused(changes: dict[str, str], says: str) -> None:
    with pytest.raises(LearnError, match=says):
        with_changes(KNOWN, {}, changes)


def test_a_renamed_class_answers_as_before_and_the_name_stays_when_the_model_learns_again(tmp_path: Path) -> None:
    result = _renamed(SHIPPED_MODEL, {"sea": "coast"}, tmp_path)
    assert result.data is not None
    new, old = open_model(result.data, "cpu"), open_model(SHIPPED_MODEL, "cpu")
    assert new.contract.labels == ("buildings", "forest", "glacier", "mountain", "coast", "street")
    one, other = open_base(result.data), open_base(SHIPPED_MODEL.read_bytes())
    assert (one.serving.layer.answers(_gate()) == other.serving.layer.answers(_gate())).all()
    assert new.contract.thresholds["coast"] == old.contract.thresholds["sea"]
    model = tmp_path / "renamed.onnx"
    publish(files_of(result, model))
    assert open_base(model.read_bytes()).root.contract.labels == KNOWN
    again = _renamed(model, {"street": "", "coast": "shore"}, tmp_path)
    assert again.data is not None
    last = open_model(again.data, "cpu").contract
    assert last.labels == ("buildings", "forest", "glacier", "mountain", "shore")
    assert last.learned is not None
    assert last.learned.renamed == {"sea": "shore", "coast": "shore", "street": ""}


def test_each_earlier_name_leads_to_the_present_one() -> None:
    names = earlier_names({}, {"sea": "coast", "glacier": "mountain"})
    assert earlier_names(names, {"coast": "sea", "mountain": ""}) == {"coast": "sea", "glacier": "", "mountain": ""}


def test_a_merged_class_gets_what_its_parts_got(tmp_path: Path) -> None:
    result = _renamed(SHIPPED_MODEL, {"glacier": "mountain"}, tmp_path)
    assert result.judged.verdict.kind != REFUSED
    assert result.data is not None
    base = open_base(result.data)
    old = open_base(SHIPPED_MODEL.read_bytes()).serving.layer.answers(_gate())
    _, numbers = numbers_of(KNOWN, {"glacier": "mountain"})
    assert (base.serving.layer.answers(_gate()) == numbers[old]).mean() > 0.99
    assert set(base.serving.classes.tolist()) == set(range(5))


def _gate() -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    facts = open_model(SHIPPED_MODEL, "cpu").contract.memory
    assert facts is not None
    memory = read_memory(SHIPPED_MODEL, facts)
    assert memory is not None
    return memory.gate()[0]


def test_what_was_said_under_the_old_name_counts_for_the_new_one(draw: Draw, tmp_path: Path) -> None:
    path = draw("sea", 1)
    label = Label(sha256(path.read_bytes()).hexdigest(), "sea", path, "f" * 64, False, False, "street")
    names = {"sea": "coast", "street": ""}
    retired = label._replace(sha256="e" * 64, said="street")
    result = learn(
        SHIPPED_MODEL, [label, retired], [], lambda _, __: None, cache=tmp_path / "cache", rename=names
    )  # fmt: skip
    assert [one.said for one in result.said.taught] == ["coast"]
    assert result.data is not None
    base, rows = open_base(result.data), _gate()
    truth = numbers_of(KNOWN, names)[1][_classes()]
    losses = [
        log_loss(truth[truth >= 0], softmax(base.serving.layer.logits(rows[truth >= 0]), temperature))
        for temperature in (0.95, 1.0, 1.05)
    ]
    assert min(losses) == losses[1], "the file is calibrated on photos that no head has learnt from"


def _classes() -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    facts = open_model(SHIPPED_MODEL, "cpu").contract.memory
    assert facts is not None
    memory = read_memory(SHIPPED_MODEL, facts)
    assert memory is not None
    return memory.gate()[1]

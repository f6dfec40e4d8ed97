"""The memory of a model: it comes back nearly as it was, and a damaged or foreign file is refused in one sentence."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.errors import CompanionError
from contract.memory import MAX_BYTES, Memory, MemoryFacts, memory_path, read_memory, row_bytes
from tests.contract.memories import WIDTHS, small_memory, unit_parts
from tests.contract.photos import QUICK

DATA = small_memory().to_bytes()
FACTS = small_memory().facts(hashlib.sha256(DATA).hexdigest())


def test_features_come_back_within_half_a_step_of_a_byte() -> None:
    anchors, gate, strangers = unit_parts(5), unit_parts(4), unit_parts(2, WIDTHS[1:])
    memory = Memory.from_bytes(DATA)
    assert (memory.labels, memory.widths, memory.width) == (("red", "green", "blue"), WIDTHS, sum(WIDTHS))
    found, classes = memory.gate()
    assert classes.tolist() == [0, 1, 2, 2]
    for given_, back in ((anchors, memory.anchors()), (gate, found), (strangers, memory.strangers())):
        assert back.dtype == np.float32
        assert np.abs(back - given_).max() <= 0.5001 * given_.max() / 255
    assert memory.to_bytes() == DATA


def test_features_may_be_negative_equal_or_missing() -> None:
    some = -unit_parts(3)
    some[0] = 0
    memory = small_memory(anchors=some, strangers=unit_parts(0, WIDTHS[1:]))
    back = Memory.from_bytes(memory.to_bytes())
    assert np.abs(back.anchors() - some).max() < 0.004
    assert np.all(back.anchors()[0] == 0)
    assert back.strangers().shape == (0, WIDTHS[1])


def test_a_model_of_broad_features_alone_has_one_part() -> None:
    memory = small_memory(widths=(16,), anchors=unit_parts(5, (16,)), gate=(unit_parts(1, (16,)), np.array([1])))
    back = Memory.from_bytes(memory.to_bytes())
    assert back.widths == (16,)
    assert back.anchors().shape == (5, 16)


def test_two_thousand_photos_of_both_networks_and_strangers_fit() -> None:
    assert 2000 * row_bytes((1280, 1280)) + 200 * row_bytes((1280,)) < MAX_BYTES


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"anchors": 2 * unit_parts(5)}, "out of range"),
        ({"anchors": np.full((5, 40), np.nan, np.float32)}, "out of range"),
        ({"anchors": unit_parts(1001)}, "number of anchors, not 0 to 1,000"),
        ({"gate": (unit_parts(2), np.array([0, 3]))}, "class 3"),
        ({"labels": ("../x", "y")}, "no classes"),
    ],
)
def test_what_is_no_memory_is_not_packed(changes: dict[str, object], words: str) -> None:
    with pytest.raises(CompanionError, match=words):
        small_memory(**changes)


def with_header(**changes: object) -> bytes:
    size = int.from_bytes(DATA[16:20], "little")
    header = json.dumps(json.loads(DATA[20 : 20 + size]) | changes).encode()
    return DATA[:16] + len(header).to_bytes(4, "little") + header + DATA[20 + size :]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not those of a memory"),
        (b"no memory at all, but long enough for a header", "not those of a memory"),
        (DATA[:16] + b"\xff\xff\xff\xff" + DATA[20:], "not those of a memory"),
        (DATA[:-1], "its header speaks of"),
        (DATA + b"\0", "its header speaks of"),
        (DATA + bytes(MAX_BYTES), "over the limit"),
        (with_header(more=1), "holds"),
        (with_header(labels="red"), "no classes"),
        (with_header(labels=["red", "green"]), "class 2"),
        (with_header(widths=[]), "widths"),
        (with_header(widths=[24, True]), "widths"),
        (with_header(widths=[0, 40]), "widths"),
        (with_header(widths=[10**9]), "widths"),
        (with_header(anchors=-1), "number of anchors"),
        (with_header(anchors=10**12), "number of anchors"),
        (with_header(gate="4"), "number of gate"),
        (DATA[:20] + b"\xff" + DATA[21:], "header of the memory is damaged"),
        (DATA[: -2 * 24] + b"\xff" * 48, "out of range"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(CompanionError, match=words) as caught:
        Memory.from_bytes(data)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@given(st.integers(0, len(DATA) - 1), st.binary(max_size=12))
@example(188, b"\xff\xff\x7f\xff" * 3)  # the step of an anchor becomes the largest float
@QUICK
def test_any_other_bytes_give_a_memory_or_the_error(place: int, put: bytes) -> None:
    try:
        memory = Memory.from_bytes(DATA[:place] + put + DATA[place + len(put) :])
    except CompanionError:
        return
    assert np.abs(memory.anchors()).max(initial=0) < 1.01


def test_the_file_beside_a_model_is_read_only_if_it_is_the_one_that_the_contract_names(tmp_path: Path) -> None:
    model = tmp_path / "garden.3f2b.onnx"
    assert memory_path(model) == tmp_path / "garden.3f2b.memory"
    assert read_memory(model, FACTS) is None
    memory_path(model).write_bytes(DATA)
    memory = read_memory(model, FACTS)
    assert memory is not None
    assert memory.to_bytes() == DATA
    memory_path(model).write_bytes(small_memory(labels=("a", "b", "c")).to_bytes())
    with pytest.raises(CompanionError, match=r"garden\.3f2b\.memory is damaged or belongs to another model"):
        read_memory(model, FACTS)
    memory_path(model).write_bytes(b"no memory")
    with pytest.raises(CompanionError, match=r"not those of a memory.*the model serves without it"):
        read_memory(model, MemoryFacts(hashlib.sha256(b"no memory").hexdigest(), 5, 4, 2))
    for make in (os.mkdir, os.mkfifo):
        memory_path(model).rename(tmp_path / make.__name__)
        make(memory_path(model))
        with pytest.raises(CompanionError, match="it is no file"):
            read_memory(model, FACTS)

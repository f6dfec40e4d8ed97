"""The contract as text: it comes back whole, and whatever else stands there is refused in one short sentence."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ContractError
from contract.familiarity import Familiarity
from contract.geometry import Geometry
from contract.learned import Learned, root_of
from contract.memory import MemoryFacts
from contract.metadata import MAX_CASES, OPTIONAL, Contract, GoldenCase
from tests.contract.photos import QUICK

PATTERN = GoldenCase("pattern", 3, tuple(range(48)), (0.75, 0.25))
FILE = GoldenCase("encoded", 0, (255,) * 48, (0.0, 1.0), b"\xff\xd8\0bytes")
CONTRACT = Contract(
    labels=("forêt", "海"),
    geometry=Geometry("letterbox", 96),
    precision="int8",
    temperature=1.25,
    thresholds={"海": 0.5},
    metrics={"accuracy": 0.93, "per class": {"海": [1, 2.5, None, True]}},
    recipe={"epochs": 3, "name": 'quote " and \\ and \u2028'},
    data={"hash": "ab" * 32},
    made_by={"phototriage": "0.1"},
    golden=(PATTERN, FILE),
    tolerance={"cpu": 1e-4, "cuda": 1e-2, "decoder": 2e-2},
)
VALUE: dict[str, Any] = json.loads(CONTRACT.to_json())
FAMILIAR = Familiarity("ab12-fp32", 3, 60, 0.61, 0.98, None, 40).to_value()
MEMORY = MemoryFacts("ab" * 32, 1000, 900, 20)
LEARNED = Learned("cd" * 32, 45, "2026-11-30T12:00:00+00:00", "open", ("海",))


def refusal(value: object) -> str:
    with pytest.raises(ContractError) as caught:
        Contract.from_json(value if isinstance(value, str) else json.dumps(value))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
    return str(caught.value)


def case(**changes: Any) -> dict[str, Any]:
    return {"golden": [VALUE["golden"][0] | changes]}


def test_a_contract_comes_back_as_it_was_written() -> None:
    text = CONTRACT.to_json()
    assert Contract.from_json(text) == CONTRACT
    assert Contract.from_json(text).to_json() == text
    assert "\n" not in text


def test_a_contract_with_familiarity_comes_back_as_it_was_written() -> None:
    golden = tuple(replace(case, embedding=(0.6, -0.8, 0.0), familiarity=0.5) for case in CONTRACT.golden)
    whole = replace(CONTRACT, familiarity=Familiarity("ab12-fp32", 3, 60, 0.61, 0.98, 0.97, 1200), golden=golden)
    assert Contract.from_json(whole.to_json()) == whole


def test_memory_and_learning_are_written_only_where_there_is_one_and_come_back() -> None:
    assert not set(OPTIONAL) & VALUE.keys()
    whole = replace(CONTRACT, memory=MEMORY, learned=replace(LEARNED, renamed={"sky": "air", "old": ""}))
    assert Contract.from_json(whole.to_json()) == whole
    assert json.loads(whole.to_json()).keys() - VALUE.keys() == set(OPTIONAL)


def test_a_model_learnt_from_a_learnt_one_names_the_root() -> None:
    again = replace(LEARNED, root=root_of("ef" * 32, LEARNED), labels=60)
    assert again.root == "cd" * 32
    assert root_of("ef" * 32, None) == "ef" * 32


def test_a_contract_of_format_1_has_no_familiarity() -> None:
    old = {name: value for name, value in VALUE.items() if name != "familiarity"} | {"format": 1}
    old["golden"] = [
        {name: case[name] for name in case if name not in ("embedding", "familiarity")} for case in old["golden"]
    ]
    assert Contract.from_json(json.dumps(old)) == CONTRACT


def test_the_promise_is_said_only_where_enough_photos_were_held_out() -> None:
    few = Familiarity("ab12-fp32", 3, 60, 0.61, 0.98, None, 40)
    assert "only 40 photos" in str(few)
    assert "cannot be promised" in str(few)
    assert "at most 2.5% of good photos" in str(replace(few, kept_at_least=0.975, photos=1200))


def test_the_written_form_is_frozen() -> None:
    """Models out there hold it: a change of these keys takes a new format number."""
    assert VALUE["format"] == 2
    assert VALUE.keys() == {
        *("format", "labels", "geometry", "precision", "temperature", "thresholds", "metrics", "recipe", "data"),
        *("made_by", "golden", "tolerance", "familiarity"),
    }
    assert VALUE["geometry"] == {"id": "exif-rgb-letterbox-bilinear-1", "size_px": 96}
    assert VALUE["golden"][0].keys() == {
        "source",
        "seed",
        "grid",
        "probabilities",
        "encoded",
        "embedding",
        "familiarity",
    }


@pytest.mark.parametrize("key", VALUE)
def test_a_missing_key_is_refused_by_its_name(key: str) -> None:
    rest = {name: item for name, item in VALUE.items() if name != key}
    assert key in refusal(rest)


BREACHES: list[tuple[dict[str, Any], str]] = [
    ({"format": 3}, "format 3"),
    ({"format": 1}, "format 1, which has no 'familiarity'"),
    ({"format": True}, "format True"),
    ({"format": 1.0}, "format 1.0"),
    ({"format": "1"}, "format '1'"),
    ({"extra": 1}, "extra"),
    ({"\x1b[31m" * 999: 1}, "do not|lacks"),
    ({"labels": ["../../x", "b"]}, "folder"),
    ({"labels": ["a", "A"]}, "one folder"),
    ({"labels": ["a", 1]}, "not text"),
    ({"labels": "ab"}, "malformed"),
    ({"labels": {"a": 1, "b": 2}}, "malformed"),
    ({"labels": None}, "malformed"),
    ({"labels": ["forêt", "海", "third"]}, "does not fit its 3 labels"),
    ({"geometry": {"id": "exif-rgb-letterbox-bilinear-1"}}, "size_px"),
    ({"geometry": {"id": "other", "size_px": 96}}, "not known"),
    ({"geometry": {"id": "exif-rgb-letterbox-bilinear-1", "size_px": 96.0}}, "out of range"),
    ({"geometry": {"id": "exif-rgb-letterbox-bilinear-1", "size_px": 10**9}}, "out of range"),
    ({"geometry": "exif-rgb-letterbox-bilinear-1"}, "malformed"),
    ({"precision": "fp8"}, "precision"),
    ({"precision": ["fp32"]}, "precision"),
    ({"temperature": 0}, "temperature"),
    ({"temperature": -1}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"temperature": "1"}, "temperature"),
    ({"temperature": math.nan}, "temperature"),
    ({"temperature": math.inf}, "temperature"),
    ({"temperature": 10**400}, "temperature"),
    ({"thresholds": {"sky": 0.5}}, "sky"),
    ({"thresholds": {"海": 1.5}}, "threshold"),
    ({"thresholds": {"海": None}}, "threshold"),
    ({"thresholds": [0.5, 0.5]}, "thresholds"),
    ({"metrics": {"accuracy": math.nan}}, "metrics"),
    ({"metrics": {"accuracy": [math.inf]}}, "metrics"),
    ({"metrics": 5}, "metrics"),
    ({"recipe": "fast"}, "recipe"),
    ({"recipe": {"a": "\ud800"}}, "recipe"),
    ({"data": [1]}, "data"),
    ({"made_by": None}, "made_by"),
    ({"tolerance": {"cpu": 1e-4}}, "tolerance"),
    ({"tolerance": VALUE["tolerance"] | {"tpu": 1e-4}}, "tolerance"),
    ({"tolerance": VALUE["tolerance"] | {"cpu": 0}}, "tolerance"),
    ({"tolerance": VALUE["tolerance"] | {"cpu": 0.9}}, "tolerance"),
    ({"tolerance": VALUE["tolerance"] | {"cuda": "0.1"}}, "tolerance"),
    ({"golden": {}}, "malformed"),
    ({"golden": [7]}, "malformed"),
    ({"golden": [{}]}, "malformed"),
    ({"golden": VALUE["golden"] * MAX_CASES}, "golden cases"),
    (case(source="net"), "golden sample"),
    (case(source=["pattern"] * 9999), "golden sample"),
    (case(seed="3"), "golden sample"),
    (case(seed=True), "golden sample"),
    (case(grid=[0] * 47), "golden sample"),
    (case(grid=[256] * 48), "golden sample"),
    (case(grid="0" * 48), "malformed"),
    (case(probabilities=[0.5]), "does not fit"),
    (case(probabilities=[0.9, 0.9]), "add up"),
    (case(probabilities=[1.5, -0.5]), "out of range"),
    (case(probabilities=[math.nan, 1.0]), "out of range"),
    (case(probabilities=[None, 1.0]), "out of range"),
    (case(encoded="AAAA"), "does not fit"),
    (case(source="encoded"), "does not fit"),
    (case(encoded="?!"), "malformed"),
    (case(encoded=5), "malformed"),
    (case(encoded="é"), "malformed"),
    (case(familiarity=0.5), "does not fit its familiarity"),
    (case(embedding=[1.0]), "does not fit its familiarity"),
    (case(embedding=None), "malformed"),
    ({"memory": None}, "not its four values"),
    ({"memory": MEMORY.to_value() | {"more": 1}}, "not its four values"),
    ({"memory": MEMORY.to_value() | {"sha256": "AB" * 32}}, "not a SHA-256"),
    ({"memory": MEMORY.to_value() | {"sha256": 5}}, "not a SHA-256"),
    ({"memory": MEMORY.to_value() | {"anchors": 1001}}, "out of range"),
    ({"memory": MEMORY.to_value() | {"gate": True}}, "whole number"),
    ({"memory": MEMORY.to_value(), "format": 1, "familiarity": False}, "has no 'familiarity'"),
    ({"learned": None}, "not its values"),
    ({"learned": LEARNED.to_value() | {"root": ""}}, "not a SHA-256"),
    ({"learned": LEARNED.to_value() | {"labels": -1}}, "out of range"),
    ({"learned": LEARNED.to_value() | {"labels": 1.0}}, "whole number"),
    ({"learned": LEARNED.to_value() | {"at": "2026-11-30T12:00:00"}}, "no time with an offset"),
    ({"learned": LEARNED.to_value() | {"at": 5}}, "no time with an offset"),
    ({"learned": LEARNED.to_value() | {"verdict": "fine"}}, "verdict"),
    ({"learned": LEARNED.to_value() | {"verdict": ["open"]}}, "verdict"),
    ({"learned": LEARNED.to_value() | {"added": "海"}}, "not a list"),
    ({"learned": LEARNED.to_value() | {"renamed": {"a": 1}}}, "not names by names"),
    ({"learned": LEARNED.to_value() | {"added": ["sky"]}}, "not labels"),
    ({"learned": LEARNED.to_value() | {"added": [[]]}}, "not labels"),
    ({"familiarity": None}, "not false or"),
    ({"familiarity": {}}, "not false or"),
    ({"familiarity": FAMILIAR}, "does not fit its familiarity"),
    *(
        ({"familiarity": FAMILIAR | change, "golden": []}, said)
        for change, said in (
            ({"id": 5}, "id of the embeddings"),
            ({"id": ""}, "id of the embeddings"),
            ({"id": "\x1b[31m"}, "id of the embeddings"),
            ({"dimensions": 2.0}, "whole number"),
            ({"dimensions": 10**6}, "out of range"),
            ({"centres": 0}, "out of range"),
            ({"photos": True}, "whole number"),
            ({"threshold": math.nan}, "out of range"),
            ({"threshold": 2}, "out of range"),
            ({"kept": None}, "out of range"),
            ({"kept_at_least": 1.1}, "out of range"),
            ({"tolerance": {}}, "tolerances for"),
            ({"tolerance": {"embedding": 1, "familiarity": 1}}, "not a table"),
            ({"tolerance": FAMILIAR["tolerance"] | {"embedding": {"cpu": 1e-4}}}, "must be given for each"),
            ({"tolerance": {name: {"cpu": 0, "cuda": 1, "decoder": 1} for name in FAMILIAR["tolerance"]}}, "range"),
        )
    ),
]


@pytest.mark.parametrize(("changes", "words"), BREACHES, ids=[str(changes)[:40] for changes, _ in BREACHES])
def test_each_breach_is_refused_with_its_reason(changes: dict[str, Any], words: str) -> None:
    text = refusal(VALUE | changes)
    assert any(word in text for word in words.split("|")), text


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "null", "7", '"text"', "[]", "[" * 200_000, '{"a":' * 5000 + "1" + "}" * 5000, "NaN", "\ud800"),
        *('{"format": 1, "format": 1}', " " * (4 * 1024 * 1024 + 1), '{"format": ' + "9" * 5000 + "}"),
        json.dumps(VALUE).replace('"epochs"', '"name": 1, "epochs"'),
        json.dumps(VALUE).replace('"epochs": 3', '"epochs": ' + "[" * 400 + "]" * 400),
        json.dumps(VALUE).replace('"epochs": 3', '"epochs": 1e999'),
    ],
    ids=lambda text: text[:24],
)
def test_text_that_is_no_honest_json_is_refused(text: str) -> None:
    refusal(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@given(JSON)
@settings(QUICK, max_examples=100)
def test_no_json_at_all_raises_anything_but_a_contract_error(value: object) -> None:
    refusal(json.dumps(value))


@given(
    st.sampled_from([*VALUE, "geometry.id", "geometry.size_px", *(f"golden.{key}" for key in VALUE["golden"][0])]), JSON
)
@settings(QUICK, max_examples=400)
def test_any_value_at_any_place_is_refused_or_can_be_written_back(place: str, value: object) -> None:
    changed = json.loads(json.dumps(VALUE))
    outer, _, inner = place.partition(".")
    holder = changed if not inner else changed["geometry"] if outer == "geometry" else changed["golden"][0]
    holder[inner or outer] = value
    try:
        contract = Contract.from_json(json.dumps(changed))
    except ContractError:
        return
    assert Contract.from_json(contract.to_json()) == contract


def test_a_contract_is_checked_when_it_is_made_too() -> None:
    with pytest.raises(ContractError, match="metrics"):
        replace(CONTRACT, metrics={"accuracy": np.float32(0.5)})
    with pytest.raises(ContractError, match="name"):
        replace(CONTRACT, recipe={1: "one"})  # type: ignore[dict-item]
    assert replace(CONTRACT, metrics={"accuracy": np.float64(0.5)}).to_json()

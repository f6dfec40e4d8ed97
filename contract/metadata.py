"""The contract: one JSON object in the metadata of a model file, read strictly.

It describes the input and the output of the model, and holds a golden sample that shows whether the model still
computes the same.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from common.errors import ContractError
from common.strict_json import check_mapping, check_number, read_object, short_repr
from contract.familiarity import MAX_TOLERANCE, TOLERANCES, Familiarity, familiarity_of
from contract.geometry import Geometry
from contract.labels import check_labels
from contract.learned import Learned, learned_of
from contract.memory import MemoryFacts, memory_facts_of

METADATA_KEY = "phototriage"
"""Key of the contract among the ONNX metadata properties."""
FORMAT = 2
READ_FORMATS = (1, FORMAT)
"""Format 1 knows no familiarity."""
OPTIONAL = ("memory", "learned")
"""Values that are written only where there is one, so that earlier versions read all other models."""
INPUT_NAME, OUTPUT_NAME = "images", "probabilities"
EMBEDDING_NAME, FAMILIARITY_NAME, NEAREST_NAME = "embedding", "familiarity", "nearest"
"""Further outputs of a model with familiarity."""
MAX_CASES = 64
"""Most golden cases of a contract, because each one is classified before the model is used."""

Precision = Literal["fp32", "fp16", "int8"]
Source = Literal["pattern", "encoded"]


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One picture with the answers that the model gave it when it was converted.

    Attributes:
        source: `pattern`: the input is `golden.pattern(seed)`; `encoded`: `encoded` passes through `to_input` first.
        seed: number of the pattern, or of the drawing that was encoded.
        encoded: a whole image file; empty for `pattern`.
        grid: mean colours of the input in 4 x 4 fields, row by row: 48 numbers that reveal a rotated or skewed picture.
        probabilities: one number a label.
        embedding, familiarity: of a model that has them; else empty and None.
    """

    source: Source
    seed: int
    grid: tuple[int, ...]
    probabilities: tuple[float, ...]
    encoded: bytes = b""
    embedding: tuple[float, ...] = ()
    familiarity: float | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """The contract of a model file. Every field is checked when one is created or read; raises ContractError.

    Attributes:
        labels: class names in the order of the output columns.
        geometry: how a photo becomes the input.
        precision: arithmetic of the weights.
        temperature: divisor of the logits. It is part of the graph; this copy informs people.
        thresholds: per label, the probability below which a photo goes to review (from validation data).
        metrics: metrics measured before publication, by name.
        recipe: resolved settings of the training run, or their name and hash.
        data: the training data: name, hash, counts.
        made_by: versions of the software that made the file.
        golden: golden sample, replayed before the model is used.
        tolerance: largest difference of a probability from `golden` by provider (`cpu`, `cuda`), and `decoder`, for
            encoded cases, whose pixels may differ by a unit from one version of a JPEG library to the next.
        familiarity: how it tells photos of no class; None for a model that cannot.
        memory: what its companion file holds; None for a model without one.
        learned: what it was learnt from; None for a model that `convert` made.
    """

    labels: tuple[str, ...]
    geometry: Geometry
    precision: Precision = "fp32"
    temperature: float = 1.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    made_by: Mapping[str, str] = field(default_factory=dict)
    golden: tuple[GoldenCase, ...] = ()
    tolerance: Mapping[str, float] = field(default_factory=lambda: {"cpu": 1e-4, "cuda": 1e-3, "decoder": 2e-2})
    familiarity: Familiarity | None = None
    memory: MemoryFacts | None = None
    learned: Learned | None = None

    def __post_init__(self) -> None:
        check_labels(self.labels)
        if self.precision not in get_args(Precision):
            raise ContractError(f"The precision {short_repr(self.precision)} is unknown; known are: fp32, fp16, int8.")
        check_number("temperature", self.temperature, above=0.0)
        for name in ("thresholds", "metrics", "recipe", "data", "made_by", "tolerance"):
            check_mapping(name, getattr(self, name))
        for label, threshold in self.thresholds.items():
            if label not in self.labels:
                raise ContractError(
                    f"A review threshold is given for {short_repr(label)}, which is not among the labels."
                )
            check_number(f"review threshold of {label!r}", threshold, least=0.0, most=1.0)
        if set(self.tolerance) != set(TOLERANCES):
            raise ContractError(f"The contract must give a tolerance for each of {', '.join(TOLERANCES)} and no other.")
        for name in TOLERANCES:
            check_number(f"tolerance for {name!r}", self.tolerance[name], above=0.0, most=MAX_TOLERANCE)
        if len(self.golden) > MAX_CASES:
            raise ContractError(f"The contract holds {len(self.golden)} golden cases; at most {MAX_CASES} are read.")
        for case in self.golden:
            _check_case(case, len(self.labels), self.familiarity)
        if self.learned is not None:
            self.learned.check_added(self.labels)

    def to_json(self) -> str:
        """Write the contract as one line of JSON."""
        value = {"format": FORMAT} | {item.name: getattr(self, item.name) for item in fields(self)}
        value["geometry"] = {"id": self.geometry.id, "size_px": self.geometry.size_px}
        value["familiarity"] = False if self.familiarity is None else self.familiarity.to_value()
        value["golden"] = [asdict(case) | {"encoded": base64.b64encode(case.encoded).decode()} for case in self.golden]
        for name in OPTIONAL:
            given = value.pop(name)
            value |= {} if given is None else {name: given.to_value()}
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=dict, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Contract":
        """Read a contract.

        Raises:
            ContractError: another format version, unknown or missing keys, or a value out of range.
        """
        value = read_object(text)
        version = value.pop("format", None)
        if type(version) is not int or version not in READ_FORMATS:
            raise ContractError(
                f"The contract has format {short_repr(version)}; this version of phototriage reads"
                f" {' and '.join(map(str, READ_FORMATS))}."
            )
        if version == 1:
            value = _as_format_2(value)
        names = {item.name for item in fields(cls)}
        if names != value.keys() | set(OPTIONAL):
            odd = ", ".join(short_repr(name) for name in sorted(names ^ (value.keys() | set(OPTIONAL)))[:12])
            raise ContractError(f"The contract lacks these keys or does not know them: {odd}.")
        try:
            value["geometry"] = Geometry.from_id(value["geometry"]["id"], value["geometry"]["size_px"])
            value["golden"] = tuple(_case(item) for item in _list(value["golden"]))
            value["labels"] = tuple(_list(value["labels"]))
            value["familiarity"] = familiarity_of(value["familiarity"])
            if "memory" in value:
                value["memory"] = memory_facts_of(value["memory"])
            if "learned" in value:
                value["learned"] = learned_of(value["learned"])
            return cls(**value)
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
            raise ContractError(f"The contract is malformed: {short_repr(error)}. Convert the model again.") from error


def _as_format_2(value: dict[str, Any]) -> dict[str, Any]:
    """A contract of format 1 with what format 2 adds to it."""
    for name in ("familiarity", *OPTIONAL):
        if name in value:
            raise ContractError(f"The contract has format 1, which has no {name!r}. Convert the model again.")
    golden = value.get("golden")
    cases = golden if isinstance(golden, list) else []
    more: dict[str, Any] = {"embedding": [], "familiarity": None}
    return value | {"familiarity": False, "golden": [case | more if isinstance(case, dict) else case for case in cases]}


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"a list is expected instead of {short_repr(value)}")
    return value


def _case(item: Mapping[str, Any]) -> GoldenCase:
    return GoldenCase(
        source=item["source"],
        seed=item["seed"],
        grid=tuple(_list(item["grid"])),
        probabilities=tuple(_list(item["probabilities"])),
        encoded=base64.b64decode(item["encoded"], validate=True),
        embedding=tuple(_list(item["embedding"])),
        familiarity=item["familiarity"],
    )


def _check_case(case: GoldenCase, classes: int, familiarity: Familiarity | None) -> None:
    if case.source not in get_args(Source) or type(case.seed) is not int or len(case.grid) != 48:
        raise ContractError(
            f"A golden sample of the contract is malformed: {short_repr(case.source)}, {short_repr(case.seed)}."
        )
    if len(case.probabilities) != classes or bool(case.encoded) != (case.source == "encoded"):
        raise ContractError(f"A golden sample of the contract does not fit its {classes} labels.")
    for mean in case.grid:
        check_number("golden sample", mean, least=0, most=255)
    for probability in case.probabilities:
        check_number("golden sample", probability, least=0.0, most=1.001)
    if not 0.9 < sum(case.probabilities) < 1.1:
        raise ContractError("A golden sample of the contract holds probabilities that do not add up to one.")
    if (case.familiarity is None) != (familiarity is None) or len(case.embedding) != (
        0 if familiarity is None else familiarity.dimensions
    ):
        raise ContractError("A golden sample of the contract does not fit its familiarity.")
    for value in case.embedding if case.familiarity is None else (*case.embedding, case.familiarity):
        check_number("golden sample", value, least=-1.001, most=1.001)

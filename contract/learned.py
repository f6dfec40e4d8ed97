"""What the contract of a model that `learn` made says about how it came to be."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, cast, get_args

from common.errors import ContractError
from common.strict_json import check_number, check_sha256, short_repr

Verdict = Literal["shown to help", "open", "refused"]
"""What the gate said of it."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Every field is checked when one is created or read; raises ContractError.

    Attributes:
        root: SHA-256 of the file that `convert` made, from which it was learnt; see `root_of`.
        labels: number of people's labels that it was learnt from.
        at: when, as an ISO 8601 time with its offset.
        verdict: of the gate.
        added: classes that the root does not have.
        renamed: the present name of each class that was ever renamed or merged, by its earlier names; empty for a
            retired one.
    """

    root: str
    labels: int
    at: str
    verdict: Verdict
    added: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_sha256("hash of the root model", self.root)
        if type(self.labels) is not int:
            raise ContractError(f"The number of labels learnt from is {short_repr(self.labels)}, not a whole number.")
        check_number("number of labels learnt from", self.labels, least=0, most=10**9)
        if not _is_time(self.at):
            raise ContractError(f"The model was learnt at {short_repr(self.at)}, which is no time with an offset.")
        if self.verdict not in get_args(Verdict):
            raise ContractError(f"The verdict of the gate is {short_repr(self.verdict)}; known are: {_VERDICTS}.")

    def check_added(self, labels: tuple[str, ...]) -> None:
        """Raise ContractError unless the classes that were added are among the labels of the contract."""
        if not set(map(short_repr, self.added)) <= set(map(short_repr, labels)):
            raise ContractError(f"The classes that were added are {short_repr(self.added)}, not labels of the model.")

    def to_value(self) -> dict[str, Any]:
        """Plain values, for JSON; without `renamed` if there is none, as earlier versions wrote them."""
        values = asdict(self)
        return values if self.renamed else {name: value for name, value in values.items() if name != "renamed"}

    def __str__(self) -> str:
        new = f", new: {', '.join(self.added)}" if self.added else ""
        return f"from {self.root[:12]}, {self.labels:,} labels, at {self.at}; the gate says: {self.verdict}{new}"


_VERDICTS = ", ".join(get_args(Verdict))


def learned_of(value: object) -> Learned:
    """Read the value that `to_value` wrote.

    Raises:
        ContractError: it is something else, or a value is out of range.
    """
    if not isinstance(value, dict) or {"renamed"} | value.keys() != {item.name for item in fields(Learned)}:
        raise ContractError(f"What the contract says of learning is {short_repr(value)}, not its values.")
    if not _are_names(value.get("renamed", {})):
        raise ContractError(f"The classes that were renamed are {short_repr(value['renamed'])}, not names by names.")
    if not isinstance(value["added"], list):
        raise ContractError(f"The classes that were added are {short_repr(value['added'])}, not a list of labels.")
    return Learned(**cast("dict[str, Any]", value | {"added": tuple(value["added"])}))


def _are_names(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for pair in value.items() for one in pair)


def root_of(sha256: str, learned: Learned | None) -> str:
    """SHA-256 of the root of a model: its own if `convert` made it. A model learnt from a learnt one has the same root.

    Args:
        sha256: of the model's file.
        learned: what its contract says.
    """
    return sha256 if learned is None else learned.root


def _is_time(text: object) -> bool:
    try:
        return isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False

"""What the contract of a model says about its memory."""

from dataclasses import asdict, dataclass, fields
from typing import Any, cast

from common.errors import ContractError
from common.strict_json import check_number, check_sha256, short_repr

MOST_ANCHORS = MOST_GATE = 1000
MOST_STRANGERS = 200


@dataclass(frozen=True, slots=True)
class MemoryFacts:
    """Every field is checked when one is created or read; raises ContractError.

    Attributes:
        sha256: of the companion file, hexadecimal.
        anchors: photos that the model was made from, of which it remembers the features.
        gate: photos that its head has not learnt from.
        strangers: pictures of no class.
    """

    sha256: str
    anchors: int
    gate: int
    strangers: int

    def __post_init__(self) -> None:
        check_sha256("hash of the memory", self.sha256)
        for name, most in (("anchors", MOST_ANCHORS), ("gate", MOST_GATE), ("strangers", MOST_STRANGERS)):
            count = getattr(self, name)
            if type(count) is not int:
                raise ContractError(f"The number of {name} in the memory is {short_repr(count)}, not a whole number.")
            check_number(f"number of {name} in the memory", count, least=0, most=most)

    def to_value(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        photos = f"{self.anchors:,} photos learnt, {self.gate:,} new to the head"
        return f"{photos}, {self.strangers:,} of no class" if self.strangers else photos


def memory_facts_of(value: object) -> MemoryFacts:
    """Read the value that `to_value` wrote.

    Raises:
        ContractError: it is something else, or a value is out of range.
    """
    if not isinstance(value, dict) or value.keys() != {item.name for item in fields(MemoryFacts)}:
        raise ContractError(f"The memory of the contract is {short_repr(value)}, not its four values.")
    return MemoryFacts(**cast("dict[str, Any]", value))

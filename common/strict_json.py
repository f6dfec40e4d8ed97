"""Read untrusted JSON strictly: which values a contract may hold, and which ranges numbers may have."""

import json
import math
import re
import reprlib
from collections.abc import Mapping
from typing import Any

from common.errors import ContractError

MAX_JSON_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 16

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 120


def short_repr(value: object) -> str:
    """Return the `repr` of a value, cut to a length that fits into a sentence."""
    return _REPR.repr(value)


def read_object(text: str) -> dict[str, Any]:
    """Read one JSON object without duplicate keys, or raise ContractError."""
    if len(text) > MAX_JSON_BYTES:
        raise ContractError(f"The contract is longer than {MAX_JSON_BYTES} bytes, the limit. Convert the model again.")
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"The contract is not valid JSON ({error}). Convert the model again.") from error
    if not isinstance(value, dict):
        raise ContractError("The contract is not a JSON object. Convert the model again.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    return value


def check_mapping(what: str, value: object) -> None:
    """Raise ContractError unless `value` maps text to values that JSON can hold."""
    if not isinstance(value, Mapping):
        raise ContractError(f"The {what} of the contract is {short_repr(value)}, not a table of names and values.")
    _check_json(what, value, MAX_DEPTH)


def _check_json(what: str, value: object, depth: int) -> None:
    if depth == 0:
        raise ContractError(f"The {what} of the contract is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str):
                raise ContractError(f"The {what} of the contract has {short_repr(name)} as a name, which is not text.")
            _check_json(what, name, depth - 1)
            _check_json(what, item, depth - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_json(what, item, depth - 1)
    elif not _is_plain(value):
        raise ContractError(f"The {what} of the contract holds {short_repr(value)}, which JSON cannot hold.")


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return value is None or isinstance(value, int)


def check_number(what: str, number: object, *, least: float = -1e9, above: float = -1e9, most: float = 1e9) -> None:
    """Raise ContractError unless `number` is a number (no bool, no NaN) over `above` and from `least` to `most`."""
    if (
        not isinstance(number, int | float)
        or isinstance(number, bool)
        or not (least <= number <= most)
        or number <= above
    ):
        raise ContractError(f"The {what} of the contract is {short_repr(number)}, which is out of range.")


def check_sha256(what: str, value: object) -> None:
    """Raise ContractError unless `value` is a SHA-256 as 64 hexadecimal digits."""
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise ContractError(f"The {what} is {short_repr(value)}, not a SHA-256 of 64 hexadecimal digits.")

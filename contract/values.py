"""Strict reading of JSON that strangers wrote: what may stand in a contract, and numbers within their range."""

import json
import math
import reprlib
from collections.abc import Mapping
from typing import Any

from contract.errors import ContractError

MAX_JSON_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 16

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 120


def short(value: object) -> str:
    """Return `repr` of a value of any size, cut to a length that fits a sentence."""
    return _REPR.repr(value)


def read_object(text: str) -> dict[str, Any]:
    """Read one JSON object without doubled keys, or raise ContractError."""
    if len(text) > MAX_JSON_BYTES:
        raise ContractError(f"The contract is longer than {MAX_JSON_BYTES} bytes, which no honest one is.")
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ContractError(f"The contract is no valid JSON ({error}). Convert the model again.") from error
    if not isinstance(value, dict):
        raise ContractError("The contract is not a JSON object. Convert the model again.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands in it twice")
    return value


def check_mapping(what: str, value: object) -> None:
    """Raise ContractError unless `value` maps text to what JSON can hold: it must be written and shown later."""
    if not isinstance(value, Mapping):
        raise ContractError(f"The {what} of the contract is {short(value)}, not a table of names and values.")
    _check_json(what, value, MAX_DEPTH)


def _check_json(what: str, value: object, depth: int) -> None:
    if depth == 0:
        raise ContractError(f"The {what} of the contract is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str):
                raise ContractError(f"The {what} of the contract has {short(name)} as a name, which is not text.")
            _check_json(what, name, depth - 1)
            _check_json(what, item, depth - 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_json(what, item, depth - 1)
    elif not _is_plain(value):
        raise ContractError(f"The {what} of the contract holds {short(value)}, which JSON cannot hold.")


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return value is None or isinstance(value, int)


def check_number(what: str, number: object, *, least: float = -1e9, above: float = -1e9, most: float = 1e9) -> None:
    """Raise ContractError unless `number` is a real one (no bool, no NaN), over `above`, from `least` to `most`."""
    if (
        not isinstance(number, int | float)
        or isinstance(number, bool)
        or not (least <= number <= most)
        or number <= above
    ):
        raise ContractError(f"The {what} of the contract is {short(number)}, which is out of range.")

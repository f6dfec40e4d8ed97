"""Settings in general: their types, their text in TOML and on the command line, and how a table of them is checked."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from training.errors import RecipeError

Ranges = Mapping[str, tuple[float, float]]


def parse_setting(text: str) -> tuple[str, Any]:
    """Key and value of `KEY=VALUE`; the value is read as TOML has it, and what is no TOML is taken as text.

    Raises:
        RecipeError: there is no `=` or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"{text!r} sets nothing. Pass KEY=VALUE, such as fine_tune.epochs=10.")
    try:
        (parsed,) = tomllib.loads(f"value = {value}").values()
    except (tomllib.TOMLDecodeError, ValueError):
        parsed = value.strip()
    return key.strip(), parsed


def flatten(table: Mapping[str, Any]) -> dict[str, Any]:
    """`{"head": {"epochs": 3}}` as `{"head.epochs": 3}`; an empty section stays as it is."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            flat |= {f"{key}.{inner}": setting for inner, setting in value.items()}
        else:
            flat[key] = value
    return flat


def known_keys(settings: Any) -> Iterator[str]:
    """Names of all settings of a dataclass, `fine_tune.epochs` for those of a section."""
    for item in fields(settings):
        value = getattr(settings, item.name)
        if is_dataclass(value):
            yield from (f"{item.name}.{part.name}" for part in fields(value))
        else:
            yield item.name


def changed(settings: Any, values: Mapping[str, Any]) -> Any:
    """A dataclass with some settings replaced, all at once; keys are as `known_keys` gives them.

    Raises:
        RecipeError: a key is unknown, or a value is of another type.
    """
    known = list(known_keys(settings))
    parts: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        if key not in known:
            raise RecipeError(_unknown(key, known))
        section, _, name = key.rpartition(".")
        owner = getattr(settings, section) if section else settings
        kind = next(item.type for item in fields(owner) if item.name == name)
        parts.setdefault(section, {})[name] = typed(key, value, kind)
    top = parts.pop("", {})
    return replace(settings, **top, **{name: replace(getattr(settings, name), **part) for name, part in parts.items()})


def _unknown(key: str, known: list[str]) -> str:
    name = key.rpartition(".")[2]
    near = get_close_matches(key, known, 1, 0.75) or [other for other in known if other.rpartition(".")[2] == name]
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"The setting {key!r} does not exist.{meant} Known are: {', '.join(known)}."


def typed(key: str, value: Any, kind: Any) -> Any:
    """Return the value in the type of its setting, or refuse it. A whole number may stand for a fraction.

    Args:
        kind: int, float, bool, str, a Literal, a union of these, or a tuple of one of them (a list in TOML).
    """
    if kind is float and type(value) is int:
        return float(value)
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        return tuple(typed(key, item, get_args(kind)[0]) for item in value)
    if get_origin(kind) is Literal and value in get_args(kind):
        return value
    if type(value) in (get_args(kind) if get_origin(kind) is UnionType else (kind,)):
        return value
    raise RecipeError(f"The setting {key} is {value!r}; pass {_wanted(kind)}.")


def _wanted(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"a list of {_wanted(get_args(kind)[0])}"
    if get_args(kind):
        return " or ".join(repr(item) if isinstance(item, str) else _wanted(item) for item in get_args(kind))
    return str(getattr(kind, "__name__", kind))


def check_ranges(settings: Any, ranges: Ranges) -> None:
    """Raise RecipeError for the first number that is out of its range; of a list, each item is held to it."""
    for key, (least, most) in ranges.items():
        section, _, name = key.rpartition(".")
        value = getattr(getattr(settings, section) if section else settings, name)
        for number in value if isinstance(value, tuple) else (value,):
            if not least <= number <= most:
                raise RecipeError(f"The setting {key} is {number:g}, and must be from {least:g} to {most:g}.")


def literal(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(literal, value))}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)

"""Settings in general: types, text in TOML and on the command line, and checks."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from training.errors import RecipeError

Ranges = Mapping[str, tuple[float, float]]


def parse_setting(text: str) -> tuple[str, Any]:
    """Split `KEY=VALUE`. The value is read as TOML, or as text if it is not valid TOML.

    Raises:
        RecipeError: the text has no `=` or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"{text!r} is not a setting. Pass KEY=VALUE, such as fine_tune.epochs=10.")
    try:
        (parsed,) = tomllib.loads(f"value = {value}").values()
    except (tomllib.TOMLDecodeError, ValueError):
        parsed = value.strip()
    return key.strip(), parsed


def flatten(table: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten `{"head": {"epochs": 3}}` to `{"head.epochs": 3}`; an empty section stays."""
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


def replace_settings(settings: Any, values: Mapping[str, Any]) -> Any:
    """Replace some settings of a dataclass at once; keys are those of `known_keys`.

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
        parts.setdefault(section, {})[name] = checked_type(key, value, kind)
    top = parts.pop("", {})
    return replace(settings, **top, **{name: replace(getattr(settings, name), **part) for name, part in parts.items()})


def _unknown(key: str, known: list[str]) -> str:
    name = key.rpartition(".")[2]
    near = get_close_matches(key, known, 1, 0.75) or [other for other in known if other.rpartition(".")[2] == name]
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"The setting {key!r} does not exist.{meant} Known are: {', '.join(known)}."


def checked_type(key: str, value: Any, kind: Any) -> Any:
    """Return the value in the type of its setting, or raise RecipeError. An integer is accepted for a float.

    Args:
        kind: int, float, bool, str, a Literal, a union of these, or a tuple of one of them (a list in TOML).
    """
    if kind is float and type(value) is int:
        return float(value)
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        return tuple(checked_type(key, item, get_args(kind)[0]) for item in value)
    if get_origin(kind) is Literal and value in get_args(kind):
        return value
    if type(value) in (get_args(kind) if get_origin(kind) is UnionType else (kind,)):
        return value
    raise RecipeError(f"The setting {key} is {value!r}. Pass {_type_names(kind)}.")


def _type_names(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"a list of {_type_names(get_args(kind)[0])}"
    if get_args(kind):
        return " or ".join(repr(item) if isinstance(item, str) else _type_names(item) for item in get_args(kind))
    return str(getattr(kind, "__name__", kind))


def check_ranges(settings: Any, ranges: Ranges) -> None:
    """Raise RecipeError for the first number out of its range; each item of a list is checked."""
    for key, (least, most) in ranges.items():
        section, _, name = key.rpartition(".")
        value = getattr(getattr(settings, section) if section else settings, name)
        for number in value if isinstance(value, tuple) else (value,):
            if not least <= number <= most:
                raise RecipeError(f"The setting {key} is {number:g}, but must be from {least:g} to {most:g}.")


def toml_literal(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(toml_literal, value))}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)

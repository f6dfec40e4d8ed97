"""Names of the cells of a grid, from their settings, safe as folder names."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 100  # bytes of a name; file systems take 255
TAKEN = frozenset(("recipes", "figures", "recipe.toml", "grid.json", "grid.csv", "grid.html"))


def cell_names(axes: Mapping[str, Sequence[Any]], cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """One unique name a cell, such as `mobilenetv2-3-blocks-fc-2`.

    Args:
        axes: values of each setting that differs.
        cells: value of each setting in each cell.
    """
    names = ["-".join(_label(key, value, axes) for key, value in cell.items()) or "run" for cell in cells]
    if len(set(names)) == len(names) and not TAKEN.intersection(names) and max(map(len, names)) <= LONGEST:
        return names
    digits = len(str(len(names)))
    return [f"{number:0{digits}d}-{name[: LONGEST - digits - 1]}" for number, name in enumerate(names, 1)]


def _label(key: str, value: Any, axes: Mapping[str, Sequence[Any]]) -> str:
    """The part of a name from one setting; the setting is omitted if the value is clear without it."""
    if key == "backbone":
        return slug(str(value))
    if key == "fine_tune.unfreeze":
        return slug(str(value)) if "block" in str(value) else f"{slug(str(value))}-layers"
    if key == "network.hidden":
        sizes = [len(values) for values in axes[key]]
        return f"fc-{len(value)}" if len(set(sizes)) == len(sizes) else f"fc-{shown(value)}"
    word = slug(_word(key, axes))
    if isinstance(value, bool):
        return word if value else f"no-{word}"
    return f"{word}-{slug(shown(value))}"


def _word(key: str, axes: Mapping[str, Sequence[Any]]) -> str:
    """The setting without its section, unless another axis has the same name."""
    last = key.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in axes) == 1 else key.replace(".", "-")


def shown(value: Any) -> str:
    """A setting's value as short text: `0.0001`, `512x256`, `3 blocks`."""
    if isinstance(value, list | tuple):
        return "x".join(map(shown, value)) or "0"
    return f"{value:g}" if isinstance(value, float) else str(value)


def slug(text: str) -> str:
    """The text in lower-case letters, digits, dots and hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "none"

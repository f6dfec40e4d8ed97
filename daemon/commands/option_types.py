"""Types of settings. Any other value is wrong usage and gets a sentence that says why."""

import math
import os
from pathlib import Path
from typing import Any

import click

from daemon.filing.layout import Layout, LayoutError


class ReviewBelow(click.ParamType[str | float]):
    """`off`, `auto`, or a probability."""

    name = "off|auto|P"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | float:
        """Return the word or the number; any other value is wrong usage."""
        if value in ("off", "auto"):
            return str(value)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if not 0.0 <= number <= 1.0 or isinstance(value, bool):
            self.fail(f"{value!r} is not off, auto, or a probability from 0 to 1.", param, ctx)
        return number


class Pattern(click.ParamType[str]):
    """A shell pattern. Colons separate several in an environment variable, because names may hold blanks."""

    name = "glob"
    envvar_list_splitter = ":"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the pattern; one that matches no name, or every name, is wrong usage."""
        if not str(value).strip("/") or not str(value).strip("*"):
            self.fail(f"{value!r} would ignore nothing, or everything.", param, ctx)
        return str(value)


class FolderOrFile(click.Path):
    """A path that is not empty: an empty one, as from an unset shell variable, would mean the working directory.

    Unlike click's own type, this one does not touch the file system, because a look at a dead mount never returns.
    The code that uses the path reports more about it.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; an empty one is wrong usage."""
        if value == "":
            self.fail("The path is empty.", param, ctx)
        return Path(os.fsdecode(value))


class Template(click.ParamType[str]):
    """A layout template."""

    name = "template"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the template; an invalid one is wrong usage."""
        try:
            Layout(value)
        except LayoutError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class Seconds(click.FloatRange):
    """A time of 0 s or more. NaN is refused, because every comparison with it fails and would turn the rule off."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number of seconds; NaN is wrong usage."""
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds

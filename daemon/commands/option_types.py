"""What a setting's value may be; anything else is wrong usage, with a sentence that says so."""

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
        """Return the word or the number; anything else is wrong usage."""
        if value in ("off", "auto"):
            return str(value)
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = -1.0
        if not 0.0 <= number <= 1.0 or isinstance(value, bool):
            self.fail(f"{value!r} is neither off nor auto nor a probability from 0 to 1.", param, ctx)
        return number


class Pattern(click.ParamType[str]):
    """A shell pattern; several in an environment variable are separated by colons, for names hold blanks."""

    name = "glob"
    envvar_list_splitter = ":"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the pattern; one that no name can match, or that all do, is wrong usage."""
        if not str(value).strip("/") or not str(value).strip("*"):
            self.fail(f"{value!r} would ignore nothing, or everything.", param, ctx)
        return str(value)


class FolderOrFile(click.Path):
    """A path with something in it: an empty one, as from an unset shell variable, would be the working directory.

    It is not looked at here, as click would: on a dead mount that never ends, and what uses the path says more.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; an empty one is wrong usage."""
        if value == "":
            self.fail("The path is empty.", param, ctx)
        return Path(os.fsdecode(value))


class Template(click.ParamType[str]):
    """A layout that can be used."""

    name = "template"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the template; one that leads nowhere is wrong usage."""
        try:
            Layout(value)
        except LayoutError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class Seconds(click.FloatRange):
    """A time from 0 on; what is no number compares with nothing and would turn every rule off."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number of seconds; NaN is wrong usage."""
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is no time.", param, ctx)
        return seconds

"""Options of the command line that every room's commands share."""

from collections.abc import Callable
from typing import Any

import click


def json_option(what: str) -> Callable[[Any], Any]:
    """Return the option `--json`, which reaches its command as `as_json`.

    Args:
        what: is printed, for the help: `the contract as one JSON object`.
    """
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} on standard output.")

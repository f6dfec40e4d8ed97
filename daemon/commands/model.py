"""`phototriage model`: put a model in place, go back, and see which served when."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.commands.option_types import FolderOrFile
from daemon.commands.shared_options import json_option, one_inbox_option, service_option

if TYPE_CHECKING:
    from daemon.models.history import Entry


@click.group()
def model() -> None:
    """Switch the model of an inbox, go back, and see which served when.

    A model in place serves instead of the one that --model names, for as long as --model names the same.

    \b
    Examples:
      phototriage model use garden.onnx --inbox ~/inbox
      phototriage model rollback --inbox ~/inbox
      phototriage model list
    """


@model.command()
@click.argument("file", type=FolderOrFile())
@one_inbox_option
@service_option
@json_option
def use(file: Path, inbox: Path | None, service: str | None, as_json: bool) -> None:
    """Put a model in place; a daemon at work takes it at once, and says so.

    FILE is checked first: its contract, its golden sample, its labels. It is copied beside the ledger of the inbox, so
    it may be removed afterwards. A daemon at work opens it beside the one that serves and lets it take over without a
    stop; without a daemon it serves from the next start on. What is refused changes nothing, and the exit code is 1.

    \b
    Examples:
      phototriage model use garden.onnx --inbox ~/inbox
      sudo phototriage model use garden.onnx --for garden
    """
    from daemon.models.change import use as put_in_place

    _say(put_in_place(file, state_of(inbox, service)), as_json)


@model.command()
@one_inbox_option
@service_option
@json_option
def rollback(inbox: Path | None, service: str | None, as_json: bool) -> None:
    """Go back to the model before the one that was put in place last; the first of all is the one --model names.

    \b
    Examples:
      phototriage model rollback --inbox ~/inbox
    """
    from daemon.models.change import roll_back

    _say(roll_back(state_of(inbox, service)), as_json)


@model.command("list")
@one_inbox_option
@service_option
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Rows.")
@json_option
def list_(inbox: Path | None, service: str | None, limit: int, as_json: bool) -> None:
    """Show which models served since when, and which were refused and why; youngest first.

    \b
    Examples:
      phototriage model list --inbox ~/inbox
    """
    from daemon.ledger.reading import reading
    from daemon.ledger.state_folder import LEDGER
    from daemon.models.history import entries
    from daemon.models.show import print_json, print_table

    with reading(state_of(inbox, service) / LEDGER) as connection:
        found = entries(connection, limit)
    (print_json if as_json else print_table)(found)


def state_of(inbox: Path | None, service: str | None) -> Path:
    """Return the state folder that is meant."""
    from contract.text import printable
    from daemon.ledger.ledger import LedgerError
    from daemon.ledger.reading import SERVICES, one_ledger
    from daemon.ledger.state_folder import LEDGER

    if inbox is not None and service is not None:
        raise click.UsageError("--inbox and --for cannot be had at once.")
    if service is None:
        return one_ledger(inbox).parent
    state = SERVICES / service
    if not os.access(state / LEDGER, os.R_OK):
        raise LedgerError(
            f"There is no ledger of a service {printable(service)} that this user can read, in {printable(state)}. "
            "Start it once, and join its group or use sudo."
        )
    return state


def _say(entry: "Entry", as_json: bool) -> None:
    from daemon.models.show import facts

    click.echo(json.dumps(facts(entry)) if as_json else f"{entry.sentence()}.")

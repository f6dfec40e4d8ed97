"""`phototriage model`: switch the model of an inbox, roll back, and list past models."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.commands.option_types import FolderOrFile
from daemon.commands.shared_options import check_one, json_option, one_inbox_option, service_option

if TYPE_CHECKING:
    from daemon.models.history import Entry


@click.group()
def model() -> None:
    """Switch the model of an inbox, roll back, and list past models.

    A model set with `model use` replaces the one that --model names, until --model names another file.

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
    """Use another model; a running daemon switches to it at once and reports it.

    FILE is checked first: its contract (labels, geometry, thresholds) and its golden sample, which has known scores.
    FILE is copied beside the inbox's ledger, so you may remove it afterwards. A running daemon switches without a stop;
    without a daemon, the model is used from the next start on. A refused model changes nothing, and the exit code is 1.

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
    """Go back to the model before the last `model use`; the first one is the model that --model names.

    Photos that `refile` moved by the model that is given up stay where they are; their batches are named, for `undo`.

    \b
    Examples:
      phototriage model rollback --inbox ~/inbox
    """
    from daemon.ledger.reader import ask_ledger
    from daemon.ledger.refiles import batches_of_others
    from daemon.ledger.state_folder import LEDGER
    from daemon.models.change import roll_back

    state = state_of(inbox, service)
    entry = roll_back(state)
    _say(entry, as_json)
    for batch, count in ask_ledger(state / LEDGER, lambda connection: batches_of_others(connection, entry.sha256)):
        photos = f"{count:,} photos of batch {batch} were" if count != 1 else f"A photo of batch {batch} was"
        cure = f"To take back to the former class: phototriage undo --batch {batch}"
        click.echo(f"{photos} refiled by another model. {cure}", err=True)


@model.command("list")
@one_inbox_option
@service_option
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Show at most this many rows.")
@json_option
def list_(inbox: Path | None, service: str | None, limit: int, as_json: bool) -> None:
    """List the models in use and since when, and the refused ones and why; newest first.

    \b
    Examples:
      phototriage model list --inbox ~/inbox
    """
    from daemon.ledger.reader import ask_ledger
    from daemon.ledger.state_folder import LEDGER
    from daemon.models.history import entries
    from daemon.models.show import print_json, print_table

    state = state_of(inbox, service)
    found = ask_ledger(state / LEDGER, lambda connection: entries(connection, limit))
    if as_json:
        print_json(found, state)
    else:
        print_table(found)


def state_of(inbox: Path | None, service: str | None) -> Path:
    """Return the state folder of an inbox or a service."""
    from daemon.ledger.reading import one_ledger

    check_one(inbox, service)
    return one_ledger(inbox, service).parent


def _say(entry: "Entry", as_json: bool) -> None:
    from daemon.models.show import facts

    click.echo(json.dumps(facts(entry)) if as_json else f"{entry.sentence()}.")

"""Asks about drawn photos in a terminal, or exports them: neither the class nor the folder of a photo is shown."""

import shlex
import sqlite3
import tempfile
from pathlib import Path

import click

from common.text import printable
from daemon.audit.answered_class import class_in, classes_for, names_of
from daemon.audit.draw import draw
from daemon.audit.errors import AuditError
from daemon.audit.export import TABLE, export
from daemon.audit.neutral_copy import copy_to, hand_over
from daemon.labels.by_hand.writing import opened
from daemon.ledger.audits.answers import SKIPPED, Drawn, answer
from daemon.ledger.since.corrections import served
from daemon.ledger.since.places import paths_of_content
from daemon.process.clock import Clock
from daemon.process.sudo import as_caller

NOTHING = "There is no photo to ask about: all that the model filed, and that is still there, was asked about already."
_FILED = "SELECT model FROM filed_by WHERE model LIKE ? || '%'"


def ask(ledger: Path, model: str | None, photos: int, since_s: float) -> None:
    """Ask about photos one after the other; each answer is kept before the next question.

    Args:
        ledger: its file.
        model: how the SHA-256 of the model begins that filed them; None for the one in use.
        photos: how many.
        since_s: only photos that were filed since then; 0 for all.

    Raises:
        AuditError: no model has served, or a copy cannot be written.
    """
    with as_caller(ledger.parent), opened(ledger) as connection:
        drawn, names = _drawn(connection, ledger, model, photos, since_s)
        if not drawn:
            click.echo(NOTHING)
        with tempfile.TemporaryDirectory(prefix="phototriage-") as temporary:
            hand_over(Path(temporary))
            for number, one in enumerate(drawn, 1):
                copy = _copied(connection, Path(temporary), one)
                if copy is None:
                    click.echo(f"Photo {number} of {len(drawn)} was moved or changed just now; it is left out.")
                    continue
                said = _said(connection, f"Photo {number} of {len(drawn)}: {copy}", names, one)
                answer(connection, Clock().wall_s(), [(one.token, said)])
                copy.unlink(missing_ok=True)


def _copied(connection: sqlite3.Connection, folder: Path, one: Drawn) -> Path | None:
    try:
        return copy_to(folder, one.token, paths_of_content(connection, one.sha256), one.sha256)
    except OSError as error:
        raise AuditError(
            f"No copy to look at can be written to {printable(folder)} ({error.strerror}). TMPDIR names another folder."
        ) from error


def write_export(ledger: Path, model: str | None, photos: int, since_s: float, folder: Path) -> None:
    """Write photos and a table to fill in; the photos are remembered before.

    Args:
        ledger, model, photos, since_s: as for `ask`.
        folder: new, or empty.
    """
    with as_caller(ledger.parent), opened(ledger) as connection:
        drawn, names = _drawn(connection, ledger, model, photos, since_s)
        if not drawn:
            raise AuditError(NOTHING)
        count = export(connection, folder, drawn, names)
    click.echo(f"{count:,} photo{'s' * (count != 1)} written to {printable(folder)}. Fill in {TABLE}, then:")
    click.echo(f"  phototriage labels import {shlex.quote(printable(folder / TABLE))}")


def _drawn(
    connection: sqlite3.Connection, ledger: Path, model: str | None, photos: int, since_s: float
) -> tuple[list[Drawn], list[str]]:
    """Return the photos that are asked about, and the classes that may be answered."""
    which = _model(connection, model)
    drawn = draw(connection, ledger, which, photos, since_s, Clock().wall_s())
    return drawn, names_of(classes_for(connection, which))


def _model(connection: sqlite3.Connection, begins: str | None) -> str:
    if begins is None:
        if in_use := served(connection, 1):
            return in_use[0]
        raise AuditError("No model has served this inbox yet. Start `watch` or `sort` once.")
    found = [str(sha256) for (sha256,) in connection.execute(_FILED, (begins.lower(),))]
    if len(found) != 1:
        raise AuditError(
            f"{len(found) or 'No'} model{'s' * (len(found) > 1)} that filed photos here begin{'s' * (not found)} with "
            f"{printable(begins)!r}. `phototriage model list --json` shows their hashes."
        )
    return found[0]


def _said(connection: sqlite3.Connection, question: str, names: list[str], one: Drawn) -> str:
    click.echo(f"\n{question}")
    said: str = click.prompt(
        "class, `none`, or Enter to skip", default="", show_default=False,
        type=click.Choice(["", *names], case_sensitive=False), show_choices=True,
    )  # fmt: skip
    if not said:
        return SKIPPED
    (model,) = connection.execute("SELECT model FROM audits WHERE token = ?", (one.token,)).fetchone()
    return class_in(said, classes_for(connection, model)) or SKIPPED

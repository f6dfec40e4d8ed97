"""`phototriage labels export`: labels as JSON lines, to a new file or to standard output."""

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import click

from common.publish import sync_directory
from common.text import printable
from daemon.files.rename import rename_noreplace
from daemon.labels.by_hand.errors import LabelError
from daemon.labels.by_hand.export_labels import exported, unread
from daemon.ledger.reader import reader
from daemon.ledger.reading import one_ledger


def export(target: str, inbox: Path | None, service: str | None, *, force: bool) -> None:
    """Write the labels in force of one ledger.

    Args:
        target: the new file, or `-` for standard output.
        inbox: of the ledger; None if there is only one.
        service: of the ledger, instead.
        force: whether a file that exists is replaced.

    Raises:
        LabelError: the file exists, or cannot be written; no partial file is left.
    """
    ledger = one_ledger(inbox, service)
    with reader(ledger) as one:
        lines = (json.dumps(facts) for facts in exported(one))
        if target == "-":
            for line in lines:
                click.echo(line)
        else:
            count = _written(lines, Path(target), force=force)
            click.echo(f"{count:,} label{'s' * (count != 1)} written to {printable(target)}.", err=True)
        if left := one.ask(unread):
            click.echo(f"Left out, because the photo was never read: {left:,}.", err=True)


def _written(lines: Iterator[str], target: Path, *, force: bool) -> int:
    """Write lines to a file, which then appears whole; only its owner may read it, as photos can be guessed from it."""
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    count = 0
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            for line in lines:
                file.write(f"{line}\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
        if force:
            part.replace(target)
        else:
            rename_noreplace(part, target)
        sync_directory(target.parent)
    except FileExistsError as error:
        raise LabelError(f"{printable(target)} exists already. Name a new file, or add --force.") from error
    except OSError as error:
        raise LabelError(f"{printable(target)} cannot be written ({error.strerror}).") from error
    finally:
        part.unlink(missing_ok=True)
    return count

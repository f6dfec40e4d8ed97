"""What the doctor checks: a configuration as `watch` reads it, a service, or every known inbox."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from common.errors import PhototriageError
from daemon.commands.watch import watch
from daemon.doctor.subject import DoctorError, Subject
from daemon.doctor.unit import unit_of
from daemon.ledger.reading import SERVICES, find_ledgers, roots_of
from daemon.ledger.state_folder import LEDGER, state_folder


def from_config(path: Path, service: str | None = None) -> Subject:
    """Return the subject of a configuration, read in the same way as `watch` reads it.

    Raises:
        DoctorError: it cannot be read, or `watch` would refuse it.
    """
    try:
        values = watch.make_context("watch", ["--config", str(path)]).params
    except click.ClickException as error:
        raise DoctorError(f"{error.format_message()} `watch` would not start with this configuration.") from error
    inbox = values["inbox"].absolute()
    unit = unit_of(service) if service else None
    ledger = (SERVICES / service if service else state_folder(inbox)) / LEDGER
    return Subject(inbox, values["output"].absolute(), values["mode"], values["model"], values["device"], unit, ledger)


def from_service(name: str) -> Subject:
    """Return the subject of a service's name."""
    return from_config(Path("/etc/phototriage") / f"{name}.toml", name)


def known() -> Iterator[Subject]:
    """Yield the inboxes that the ledgers of this user and of the services name."""
    with suppress(PhototriageError):
        for ledger in find_ledgers(None):
            with suppress(PhototriageError):
                inbox, output = roots_of(ledger)
                if inbox is None or output is None:
                    continue
                service = ledger.parent.name if ledger.parent.parent == SERVICES else ""
                yield _of_service(service) or Subject(inbox, output, ledger=ledger)


def _of_service(name: str) -> Subject | None:
    """Return the subject of a service whose ledger was found; None if it has no readable configuration."""
    if not name:
        return None
    with suppress(PhototriageError):
        return from_service(name)
    return None

"""The steps that make a service, in order; what is done already is left out, so a second time there are none."""

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

from daemon.install import texts
from daemon.install.errors import ServiceError
from daemon.install.places import SHIPPED, Places
from daemon.install.record import Record, load, save
from daemon.install.service_spec import MADE_BY_SYSUSERS, ServiceSpec
from daemon.install.steps import Command, File, Folder, Output, Share, Step, output
from daemon.ledger.reading import SERVICES
from daemon.ledger.state_folder import state_folder

_SYSUSERS = Path("/etc/sysusers.d/phototriage.conf")


def steps(wish: ServiceSpec, *, start: bool) -> list[Step]:
    """Return what is still to be done for a service.

    Args:
        start: whether it is started too, or only whenever the machine is.
    """
    places = wish.places
    files = [
        *(File(path, texts.shipped(path.name, user=places.user), as_shipped=True) for path in places.shared),
        File(places.drop_in, texts.drop_in(wish)),
        File(places.configuration, texts.configuration(wish)),
    ]
    wanted: list[Step] = [*_people(wish), *_folders(wish), *files, *_commands(places, files, start=start)]
    return [step for step in wanted if not step.is_done()]


def carry_out(wish: ServiceSpec, todo: list[Step]) -> None:
    """Do the steps; what was done is recorded after each, so that also half an installation can be taken back.

    Raises:
        ServiceError: one of them failed, and which.
    """
    record = load(wish.places) or Record()
    record.state = os.fspath(state_folder(wish.inbox) if wish.places.user else SERVICES / wish.places.name)
    for step in todo:
        try:
            step.do(record)
        except OSError as error:
            raise ServiceError(f"Could not {step.tell().splitlines()[0].rstrip(':')} ({error.strerror}).") from error
        finally:
            save(wish.places, record)


def _people(wish: ServiceSpec) -> list[Step]:
    """The service's user, if it is phototriage's own, and its group for the owner of the photos."""
    if not wish.is_shared:
        return []
    group, owner = wish.runs_as.group, wish.owner
    made: list[Step] = []
    if wish.runs_as.name == MADE_BY_SYSUSERS:
        text = (SHIPPED / "sysusers.d" / "phototriage.conf").read_text(encoding="utf-8")
        left = f"the user {MADE_BY_SYSUSERS} stays, for it owns folders in the output (userdel {MADE_BY_SYSUSERS})"
        if wish.runs_as.uid is None:
            made = [*map(Folder, _missing(_SYSUSERS.parent)), File(_SYSUSERS, text, as_shipped=True)]
        make = ("systemd-sysusers", os.fspath(_SYSUSERS))
        made += [Command(make, lambda: _gid(group) is not None, left)]
    if owner.uid != 0:
        join = ("usermod", "--append", "--groups", group, owner.name)
        leave = f"gpasswd -d {owner.name} {group}"
        left = f"{owner.name} stays in the group {group}, by which the filed photos are reached ({leave})"
        made.append(Command(join, lambda: _is_member(owner.name, group), left))
    return made


def _folders(wish: ServiceSpec) -> list[Step]:
    places, group = wish.places, wish.runs_as.group
    homes = [places.units, places.drop_in.parent, places.configurations]
    made: list[Step] = [Folder(path) for home in homes for path in _missing(home)]
    made.append(Output(wish.output, wish.owner))
    if wish.is_shared:
        whose = frozenset({wish.owner.uid, wish.runs_as.uid})
        made += [Share(path, group, lambda: _gid(group), whose) for path in (wish.inbox, wish.output)]
    return list(dict.fromkeys(made))


def _missing(folder: Path) -> list[Path]:
    """Return a folder and those above it that are not there, outermost first."""
    return [path for path in (*reversed(folder.parents), folder) if not path.is_dir()]


def _commands(places: Places, files: list[File], *, start: bool) -> list[Step]:
    changed = not all(file.is_done() for file in files)

    def asked(question: str) -> Callable[[], bool]:
        return lambda: output(*places.systemctl, "--quiet", question, places.unit).returncode == 0

    def reloaded() -> bool:
        return not changed and not _needs_reload(places)

    def running() -> bool:
        return not changed and asked("is-active")()

    enable = Command((*places.systemctl, "enable", places.unit), asked("is-enabled"))
    if not start:
        return [enable]
    reload = Command((*places.systemctl, "daemon-reload"), reloaded)
    return [reload, enable, Command((*places.systemctl, "restart", places.unit), running, why=_last_words(places))]


def _last_words(places: Places) -> tuple[str, ...]:
    whose = ("--user",) if places.user else ()
    return ("journalctl", *whose, "--no-pager", "--output=cat", "--lines=5", "--unit", places.unit)


def _needs_reload(places: Places) -> bool:
    shown = output(*places.systemctl, "show", "--property=NeedDaemonReload", "--value", places.unit)
    return shown.stdout.strip() == "yes"


def _gid(group: str) -> int | None:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None


def _is_member(user: str, group: str) -> bool:
    try:
        return _gid(group) in os.getgrouplist(user, pwd.getpwnam(user).pw_gid)
    except KeyError:
        return False

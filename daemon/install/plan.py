"""The steps that install a service, in order. Steps that are done already are left out, so a second call has none."""

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

from daemon.install import auto_learn, texts
from daemon.install.errors import ServiceError
from daemon.install.places import SHIPPED, Places
from daemon.install.record import Record, load, save
from daemon.install.service_spec import MADE_BY_SYSUSERS, ServiceSpec
from daemon.install.steps import Command, File, Folder, Output, Share, Step, output
from daemon.ledger.reading import SERVICES
from daemon.ledger.state_folder import state_folder

_SYSUSERS = Path("/etc/sysusers.d/phototriage.conf")


def steps(spec: ServiceSpec, *, start: bool) -> list[Step]:
    """Return the steps that are still needed for a service.

    Args:
        start: whether to start the service now; otherwise it starts with the machine.
    """
    places = spec.places
    files = [
        *(File(path, texts.shipped(path.name, user=places.user), as_shipped=True) for path in places.shared),
        File(places.drop_in, texts.drop_in(spec)),
        File(places.configuration, texts.configuration(spec)),
    ]
    wanted: list[Step] = [*_accounts(spec), *_folders(spec), *files, *_commands(places, files, start=start)]
    record = load(places)
    if spec.learns or (record is not None and auto_learn.was_added(places, record)):
        wanted += auto_learn.steps(spec, start=start)
    return [step for step in wanted if not step.is_done()]


def carry_out(spec: ServiceSpec, todo: list[Step]) -> None:
    """Do the steps. Each is recorded at once, so that an interrupted installation can be removed too.

    Raises:
        ServiceError: a step failed.
    """
    record = load(spec.places) or Record()
    record.state = os.fspath(state_folder(spec.inbox) if spec.places.user else SERVICES / spec.places.name)
    for step in todo:
        try:
            step.do(record)
        except OSError as error:
            raise ServiceError(
                f"Could not {step.describe().splitlines()[0].rstrip(':')} ({error.strerror})."
            ) from error
        finally:
            save(spec.places, record)


def _accounts(spec: ServiceSpec) -> list[Step]:
    """Return the steps that make the service's user and let the owner of the photos join its group."""
    if not spec.is_shared:
        return []
    group, owner = spec.runs_as.group, spec.owner
    made: list[Step] = []
    if spec.runs_as.name == MADE_BY_SYSUSERS:
        text = (SHIPPED / "sysusers.d" / "phototriage.conf").read_text(encoding="utf-8")
        left = f"the user {MADE_BY_SYSUSERS} stays, because it owns folders in the output (userdel {MADE_BY_SYSUSERS})"
        if spec.runs_as.uid is None:
            made = [*map(Folder, _missing(_SYSUSERS.parent)), File(_SYSUSERS, text, as_shipped=True)]
        make = ("systemd-sysusers", os.fspath(_SYSUSERS))
        made += [Command(make, lambda: _gid(group) is not None, left)]
    if owner.uid != 0:
        join = ("usermod", "--append", "--groups", group, owner.name)
        leave = f"gpasswd -d {owner.name} {group}"
        left = f"{owner.name} stays in the group {group}, which gives access to the filed photos ({leave})"
        made.append(Command(join, lambda: _is_member(owner.name, group), left))
    return made


def _folders(spec: ServiceSpec) -> list[Step]:
    places, group = spec.places, spec.runs_as.group
    homes = [places.units, places.drop_in.parent, places.configurations]
    made: list[Step] = [Folder(path) for home in homes for path in _missing(home)]
    made.append(Output(spec.output, spec.owner))
    if spec.is_shared:
        owners = frozenset({spec.owner.uid, spec.runs_as.uid})
        made += [Share(path, group, lambda: _gid(group), owners) for path in (spec.inbox, spec.output)]
    return list(dict.fromkeys(made))


def _missing(folder: Path) -> list[Path]:
    """Return a folder and its parents, as far as they do not exist, outermost first."""
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
    return [reload, enable, Command((*places.systemctl, "restart", places.unit), running, why=_recent_log(places))]


def _recent_log(places: Places) -> tuple[str, ...]:
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

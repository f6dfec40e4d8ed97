"""The service that was requested, checked before anything is planned: its folders and its user."""

import grp
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.text import printable
from daemon.install.errors import ServiceError
from daemon.install.places import Places

MADE_BY_SYSUSERS = "phototriage"
"""The only user that an installation may create; any other must exist."""
_SYSTEM = frozenset(
    map(Path, "/ /bin /boot /dev /etc /home /lib /lib64 /proc /root /run /sbin /sys /usr /var /var/lib".split())  # noqa: SIM905
)
_PRIVATE = (Path("/tmp"), Path("/var/tmp"), Path("/run/user"))  # noqa: S108
"""A service has private instances of these."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its group; the ids are None for a user that is still to be created."""

    name: str
    group: str
    uid: int | None
    gid: int | None


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service that can be installed.

    Attributes:
        places: the paths of its files.
        inbox: absolute, without links; exists.
        output: absolute, without links; may be missing.
        model: None for the shipped model.
        owner: the owner of the inbox.
        runs_as: the owner, or another user who shares the folders with the owner.
        learns: whether it learns every day from what people said.
    """

    places: Places
    inbox: Path
    output: Path
    model: Path | None
    owner: Account
    runs_as: Account
    learns: bool = False

    @property
    def is_shared(self) -> bool:
        return self.runs_as != self.owner


def requested(
    places: Places, inbox: Path, output: Path, model: Path | None, service_user: str | None, *, learns: bool = False
) -> ServiceSpec:
    """Check what was requested and return it.

    Raises:
        ServiceError: the service cannot be installed like this; the message says why, and what to do instead.
    """
    inbox, output, model = inbox.resolve(), output.resolve(), model.resolve() if model else None
    _check_folders(inbox, output)
    if model is not None and not model.is_file():
        raise ServiceError(f"The model {printable(model)} does not exist. Make one with `phototriage convert`.")
    owner = account_of(inbox.stat().st_uid)
    if places.user:
        return ServiceSpec(places, inbox, output, model, owner, owner, learns)
    for path in (inbox, output, *([model] if model else [])):
        check_reach(path)
    runs_as = _named(service_user) if service_user else owner
    if runs_as.uid == 0:
        whose = f"The inbox {printable(inbox)} belongs to root" if not service_user else "--service-user is root"
        raise ServiceError(
            f"{whose}, but a program that opens foreign photos must not run as root. Give the inbox to the user whose "
            f"photos these are (chown), or name a user: --service-user {MADE_BY_SYSUSERS}"
        )
    return ServiceSpec(places, inbox, output, model, owner, runs_as, learns)


def account_of(uid: int) -> Account:
    """Return the account with a user id.

    Raises:
        ServiceError: there is none.
    """
    try:
        entry = pwd.getpwuid(uid)
    except KeyError as error:
        raise ServiceError(
            f"The inbox belongs to user id {uid}, but no user has this id. Give the inbox to a user (chown)."
        ) from error
    return Account(entry.pw_name, grp.getgrgid(entry.pw_gid).gr_name, uid, entry.pw_gid)


def homes() -> Iterator[Path]:
    """Yield the home folders of people and root."""
    for entry in pwd.getpwall():
        if entry.pw_uid == 0 or entry.pw_uid >= 1000:
            yield Path(entry.pw_dir)


def _named(user: str) -> Account:
    try:
        return account_of(pwd.getpwnam(user).pw_uid)
    except KeyError as error:
        if user == MADE_BY_SYSUSERS:
            return Account(user, user, None, None)
        raise ServiceError(
            f"There is no user {user!r}. Create it (useradd --system --user-group {user}), or let phototriage create "
            f"its own: --service-user {MADE_BY_SYSUSERS}"
        ) from error


def _check_folders(inbox: Path, output: Path) -> None:
    for path in (inbox, output):
        if any(character in os.fspath(path) for character in "\n\r"):
            raise ServiceError(f"{printable(path)} contains a line break, which a unit file cannot hold. Rename it.")
    if not inbox.is_dir():
        what = "is not a folder" if inbox.exists() else "does not exist"
        raise ServiceError(f"The inbox {printable(inbox)} {what}. Create it first: mkdir {printable(inbox)}")
    if inbox == output:
        raise ServiceError(f"Inbox and output are the same folder, {printable(inbox)}. Pass two different ones.")
    if inbox in _SYSTEM or inbox in homes():
        raise ServiceError(
            f"{printable(inbox)} cannot be the inbox, because all of it would be sorted. Pass a folder of its own."
        )
    if not output.parent.is_dir():
        raise ServiceError(
            f"The folder {printable(output.parent)} for the output does not exist. Create it first: "
            f"mkdir -p {printable(output.parent)}"
        )


def check_reach(path: Path) -> None:
    """Refuse a path in a temporary folder, because a service has private ones and would not see it.

    Raises:
        ServiceError: the path is in a temporary folder.
    """
    for private in _PRIVATE:
        if path.is_relative_to(private):
            raise ServiceError(f"A service has a private {private} and would not see {printable(path)}. Move it.")


def common_parent(inbox: Path, output: Path) -> Path | None:
    """Return the one folder that must be writable; None if inbox and output are on different file systems.

    Each writable path of a unit becomes a separate mount, and a rename between two mounts fails. Then every photo would
    be copied.

    Raises:
        ServiceError: this folder is too much for a service.
    """
    beside = output if output.is_dir() else output.parent
    if inbox.stat().st_dev != beside.stat().st_dev:
        return None
    parent = Path(os.path.commonpath([inbox, output]))
    if parent in _SYSTEM or parent in homes():
        raise ServiceError(
            f"The service may write to the common parent of inbox and output, and that would be {parent}. Put both "
            f"into one folder of their own, such as {parent / 'photos'}, or install a user service: --user"
        )
    return parent

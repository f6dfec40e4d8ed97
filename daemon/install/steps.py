"""The steps of an installation: each can describe what it will do, tell whether that is done already, and do it."""

import difflib
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from common.publish import publish_bytes
from common.text import printable
from daemon.install.errors import ServiceError
from daemon.install.record import Record
from daemon.install.service_spec import Account

SHARED = 0o2070
"""Mode bits of a shared folder: the group has all rights, and new files belong to the group."""


class Step(Protocol):
    """One step of an installation."""

    def is_done(self) -> bool: ...

    def describe(self) -> str:
        """Return what the step will do, in lines."""

    def do(self, record: Record) -> None: ...


@dataclass(frozen=True, slots=True)
class Folder:
    """Make a folder that belongs to the user who installs."""

    path: Path

    def is_done(self) -> bool:
        return self.path.is_dir()

    def describe(self) -> str:
        return f"make the folder {printable(self.path)}"

    def do(self, record: Record) -> None:
        self.path.mkdir(mode=0o755)
        record.folders.append(os.fspath(self.path))


@dataclass(frozen=True, slots=True)
class Output:
    """Make the output for the owner of the inbox.

    If other users can rename a parent folder, root must not make or give away the output, because the path may lead to
    another folder by then. In that case a process with the owner's rights makes it.
    """

    path: Path
    owner: Account

    def is_done(self) -> bool:
        return self.path.is_dir()

    def describe(self) -> str:
        return f"make the folder {printable(self.path)} for {self.owner.name}"

    def do(self, record: Record) -> None:
        """Make the folder. It is not recorded, because photos may be in it soon."""
        uid, gid = self.owner.uid, self.owner.gid
        if os.geteuid() != 0 or uid is None or gid is None:
            self.path.mkdir(mode=0o755)
        elif only_root_can_redirect(self.path):
            self.path.mkdir(mode=0o755)
            os.chown(self.path, uid, gid, follow_symlinks=False)
        else:
            made = subprocess.run(
                ["mkdir", "--", self.path], user=uid, group=gid, extra_groups=[], capture_output=True, text=True
            )
            if made.returncode != 0:
                raise ServiceError(f"{self.owner.name} cannot make it: {printable(made.stderr.strip())}")


@dataclass(frozen=True, slots=True)
class File:
    """Write a file that every user may read."""

    path: Path
    text: str
    as_shipped: bool = False

    def is_done(self) -> bool:
        return self._before() == self.text

    def describe(self) -> str:
        """Return the new content of the file, or its changes."""
        before = self._before()
        if before is None and self.as_shipped:
            return f"write {printable(self.path)}, as shipped"
        if before is None:
            lines = [f"    {line}" for line in self.text.splitlines() if line.strip() and not line.startswith("#")]
            return "\n".join([f"write {printable(self.path)}, without its comments:", *lines])
        changes = list(difflib.unified_diff(before.splitlines(), self.text.splitlines(), lineterm="", n=1))[2:]
        return "\n".join([f"change {printable(self.path)}:", *(f"    {printable(line)}" for line in changes)])

    def do(self, record: Record) -> None:
        publish_bytes(self.path, self.text.encode())
        self.path.chmod(0o644)
        record.wrote(self.path, self.text)

    def _before(self) -> str | None:
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ServiceError(f"{printable(self.path)} cannot be read: {error}.") from error


@dataclass(frozen=True, slots=True)
class Share:
    """Share a folder, and the folders in it, with a group.

    Attributes:
        owners: user ids. Folders of other users are left as they are, even if a name was replaced meanwhile.
    """

    path: Path
    group: str
    gid: Callable[[], int | None]
    owners: frozenset[int | None]

    def is_done(self) -> bool:
        return self.path.is_dir() and not any(True for _ in self._to_change())

    def describe(self) -> str:
        return f"share {printable(self.path)} and the folders in it with the group {self.group} (chgrp, chmod g+rwxs)"

    def do(self, record: Record) -> None:
        """Share the remaining folders, each by its descriptor and never through a link."""
        gid = self.gid()
        if gid is None:
            raise ServiceError(f"The group {self.group} does not exist.")
        for descriptor in self._to_change():
            os.fchown(descriptor, -1, gid)
            os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) | SHARED)
        record.left.append(f"{printable(self.path)} and folders in it stay shared with the group {self.group}")

    def _to_change(self) -> Iterator[int]:
        """Yield a descriptor of each folder that is not shared yet; it is open until the next one is asked for."""
        gid = self.gid()
        for _, _, _, descriptor in os.fwalk(self.path):
            status = os.fstat(descriptor)
            may = status.st_uid in self.owners and (status.st_uid != 0 or only_root_can_redirect(self.path))
            if may and not _is_shared(status, gid):
                yield descriptor


@dataclass(frozen=True, slots=True)
class Command:
    """Run a command of the system.

    Attributes:
        done: returns whether there is nothing to do.
        left: what an uninstallation leaves, in words.
        why: a command that shows why this one failed.
    """

    words: tuple[str, ...]
    done: Callable[[], bool]
    left: str = ""
    why: tuple[str, ...] = ()

    def is_done(self) -> bool:
        return self.done()

    def describe(self) -> str:
        return f"run: {printable(' '.join(self.words))}"

    def do(self, record: Record) -> None:
        """Run the command; a failure ends the installation."""
        done = output(*self.words)
        if done.returncode != 0:
            said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
            why = (
                "".join(f"\n  {printable(line)}" for line in output(*self.why).stdout.splitlines()) if self.why else ""
            )
            raise ServiceError(f"{printable(' '.join(self.words))} failed: {printable(said)}{why}")
        if self.left:
            record.left.append(self.left)


def output(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command and return its result; a missing program counts as failed."""
    try:
        return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return subprocess.CompletedProcess(words, 127, "", f"{words[0]} is not installed")


def only_root_can_redirect(path: Path) -> bool:
    """Return whether only root can change which folder a path leads to."""
    return all(
        status.st_uid == 0 and not status.st_mode & 0o022 for status in (folder.lstat() for folder in path.parents)
    )


def _is_shared(status: os.stat_result, gid: int | None) -> bool:
    return status.st_gid == gid and status.st_mode & SHARED == SHARED

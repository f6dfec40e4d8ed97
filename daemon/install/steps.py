"""The steps of an installation: each can say what it will do, whether that is done already, and do it."""

import difflib
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from contract.publish import publish_bytes
from contract.text import printable
from daemon.install.errors import ServiceError
from daemon.install.record import Record
from daemon.install.service_spec import Account

SHARED = 0o2070
"""What a shared folder's mode must hold: the group may do all, and what is made in it belongs to the group."""


class Step(Protocol):
    """One thing to do."""

    def is_done(self) -> bool: ...

    def tell(self) -> str:
        """Return what will be done, in lines."""

    def do(self, record: Record) -> None: ...


@dataclass(frozen=True, slots=True)
class Folder:
    """Make a folder of the system's, or of one's own where that is who installs."""

    path: Path

    def is_done(self) -> bool:
        return self.path.is_dir()

    def tell(self) -> str:
        return f"make the folder {printable(self.path)}"

    def do(self, record: Record) -> None:
        self.path.mkdir(mode=0o755)
        record.folders.append(os.fspath(self.path))


@dataclass(frozen=True, slots=True)
class Output:
    """Make the output for the owner of the inbox.

    Where others may rename folders on the way to it, root must not: what it makes, or gives away, could meanwhile be
    another folder. There the owner makes it, with the owner's rights.
    """

    path: Path
    owner: Account

    def is_done(self) -> bool:
        return self.path.is_dir()

    def tell(self) -> str:
        return f"make the folder {printable(self.path)} for {self.owner.name}"

    def do(self, record: Record) -> None:
        """Make it; it is not recorded, for photos may lie in it soon."""
        uid, gid = self.owner.uid, self.owner.gid
        if os.geteuid() != 0 or uid is None or gid is None:
            self.path.mkdir(mode=0o755)
        elif is_roots_way(self.path):
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
    """Write a file that everybody may read."""

    path: Path
    text: str
    as_shipped: bool = False

    def is_done(self) -> bool:
        return self._before() == self.text

    def tell(self) -> str:
        """Return what will stand in the file, or what will change in it."""
        before = self._before()
        if before is None and self.as_shipped:
            return f"write {printable(self.path)}, as it ships"
        if before is None:
            lines = [f"    {line}" for line in self.text.splitlines() if line.strip() and not line.startswith("#")]
            return "\n".join([f"write {printable(self.path)}, comments aside:", *lines])
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
    """Open a folder, and the folders in it, to a group.

    Attributes:
        whose: user ids; a folder of anybody else is left as it is, whatever its name has become meanwhile.
    """

    path: Path
    group: str
    gid: Callable[[], int | None]
    whose: frozenset[int | None]

    def is_done(self) -> bool:
        return self.path.is_dir() and not any(True for _ in self._to_change())

    def tell(self) -> str:
        return f"share {printable(self.path)} and the folders in it with the group {self.group} (chgrp, chmod g+rwxs)"

    def do(self, record: Record) -> None:
        """Change what is not shared yet, each folder by its descriptor and never through a link."""
        gid = self.gid()
        if gid is None:
            raise ServiceError(f"The group {self.group} is still not there.")
        for descriptor in self._to_change():
            os.fchown(descriptor, -1, gid)
            os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) | SHARED)
        record.left.append(f"{printable(self.path)} and folders in it stay shared with the group {self.group}")

    def _to_change(self) -> Iterator[int]:
        """Yield a descriptor of each folder that is not shared yet, open until the next."""
        gid = self.gid()
        for _, _, _, descriptor in os.fwalk(self.path):
            status = os.fstat(descriptor)
            may = status.st_uid in self.whose and (status.st_uid != 0 or is_roots_way(self.path))
            if may and not _is_shared(status, gid):
                yield descriptor


@dataclass(frozen=True, slots=True)
class Command:
    """Run a command of the system.

    Attributes:
        done: tells whether there is nothing to do; None, where it only makes sense after another step.
        left: what an uninstallation does not take back, in words.
        why: a command that tells why this one failed.
    """

    words: tuple[str, ...]
    done: Callable[[], bool]
    left: str = ""
    why: tuple[str, ...] = ()

    def is_done(self) -> bool:
        return self.done()

    def tell(self) -> str:
        return f"run: {printable(' '.join(self.words))}"

    def do(self, record: Record) -> None:
        """Run it; one that fails ends the installation."""
        done = output(*self.words)
        if done.returncode != 0:
            said = " ".join((done.stderr or done.stdout).split()) or f"it ended with {done.returncode}"
            why = (
                "".join(f"\n  {printable(line)}" for line in output(*self.why).stdout.splitlines()) if self.why else ""
            )
            raise ServiceError(f"{printable(' '.join(self.words))} failed: {printable(said)}{why}")
        if self.left:
            record.left.append(self.left)


def output(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end and return what it said; a program that is missing counts as failed."""
    try:
        return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return subprocess.CompletedProcess(words, 127, "", f"{words[0]} is not installed")


def is_roots_way(path: Path) -> bool:
    """Whether nobody but root can change which folder a path leads to."""
    return all(
        status.st_uid == 0 and not status.st_mode & 0o022 for status in (folder.lstat() for folder in path.parents)
    )


def _is_shared(status: os.stat_result, gid: int | None) -> bool:
    return status.st_gid == gid and status.st_mode & SHARED == SHARED

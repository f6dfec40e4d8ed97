"""A look at an inbox and its output by somebody else: a child process, which may hang on a dead mount, and alone does.

It can be given the service's user and be started in the service's mount namespace, so that it sees and may do what the
service does. It reads a wish from its standard input and answers with findings, as JSON. What it makes are hidden files
that a daemon at work leaves alone, and it removes them.
"""

import json
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from contract.text import printable
from daemon.doctor.finding import Finding, fault, ok, warning, word
from daemon.doctor.locks import holder_of
from daemon.files.marker import MARKER
from daemon.files.mounts import mount_of, mount_that_is_away
from daemon.files.rename import rename_noreplace, renameat2
from daemon.process.child import end_with_parent, limit_process

LITTLE_MB, FEW_INODES = 1024, 10_000


def look_at_folders(inbox: Path, output: Path, mode: str, trusted: Sequence[int] | None = None) -> Iterator[Finding]:
    """Check both folders, and that a photo can go from one to the other.

    Args:
        inbox: to take photos from.
        output: of the class folders; may be missing where it can be made.
        mode: how photos are filed; only `move` needs to write to the inbox.
        trusted: users whose links to folders in the output are followed; None for root, this one and its owner.
    """
    there = True
    for role, folder in (("inbox", inbox), ("output", output)):
        found = list(_look_at(role, folder, write=mode == "move" or role == "output"))
        there = there and folder.is_dir() and all(finding.level != "fault" for finding in found)
        yield from found
    if there and mode == "move":
        yield _look_at_rename(inbox, output)
    if there:
        yield from _look_at_links(output, trusted)
        yield _look_at_daemon(inbox)


def _look_at(role: str, folder: Path, *, write: bool) -> Iterator[Finding]:
    name = printable(folder)
    if not folder.is_dir():
        yield _missing(role, folder)
        return
    mount = mount_of(folder)
    if mount and mount.is_share:
        says = (
            f"{name} is on a share ({mount.kind}): what other machines put there is found by scans, every few seconds"
        )
        yield ok(role, says) if role == "inbox" else ok(role, f"{name} is on a share ({mount.kind})")
    else:
        yield ok(role, f"{name} is on {mount.kind if mount else 'a file system that does not tell its kind'}")
    yield _rights(role, folder, write=write)
    yield from _room(role, folder)


def _missing(role: str, folder: Path) -> Finding:
    name, away = printable(folder), mount_that_is_away(folder)
    if away:
        return fault(
            role, f"{name} is not there, for nothing is mounted at {printable(away)}", f"sudo mount {word(away)}"
        )
    if os.path.lexists(folder):
        return fault(role, f"{name} is no folder that this user can see", f"ls -ld {word(folder)}")
    if role == "output" and folder.parent.is_dir() and os.access(folder.parent, os.W_OK | os.X_OK):
        return ok(role, f"{name} will be made at the start")
    return fault(role, f"{name} does not exist", f"mkdir -p {word(folder)}")


def _rights(role: str, folder: Path, *, write: bool) -> Finding:
    status, user = folder.stat(), os.geteuid()
    who = f"the user {user}"
    share = f"sudo chgrp {os.getegid()} {word(folder)} && sudo chmod g+rwxs {word(folder)}"
    cure = f"run it as the user {status.st_uid}, or share the folder: {share}"
    try:
        os.scandir(folder).close()
        if write:
            probe = _probe_in(folder)
            probe.unlink()
    except OSError as error:
        return fault(
            role, f"{who} cannot {'write to' if write else 'read'} {printable(folder)} ({error.strerror}); it belongs "
            f"to {status.st_uid}:{status.st_gid}, mode {status.st_mode & 0o7777:04o}", cure,
        )  # fmt: skip
    if write and status.st_mode & 0o002 and not status.st_mode & 0o1000:
        return warning(
            role, f"everybody on this machine may write to {printable(folder)}", f"sudo chmod o-w {word(folder)}"
        )
    return ok(role, f"{who} can {'read and write' if write else 'read'} it")


def _probe_in(folder: Path) -> Path:
    probe = folder / f"{MARKER}.doctor-{secrets.token_hex(8)}.part"
    os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    return probe


def _room(role: str, folder: Path) -> Iterator[Finding]:
    room = os.statvfs(folder)
    free_mb = room.f_bavail * room.f_frsize >> 20
    says = f"{free_mb:,} MiB are free"
    if role == "output" and free_mb < LITTLE_MB:
        yield warning(role, f"{says}: a full disk pauses the filing", f"df -h {word(folder)}")
    elif role == "output":
        yield ok(role, says)
    if room.f_files and room.f_favail < FEW_INODES:
        yield warning(role, f"only {room.f_favail:,} files can still be made", f"df -i {word(folder)}")


def _look_at_rename(inbox: Path, output: Path) -> Finding:
    """Move a real file from one to the other by the kernel's own rename, and see that it does not overwrite."""
    source = _probe_in(inbox)
    target = output / source.name
    try:
        renameat2(source, target)
        again = _probe_in(inbox)
        try:
            rename_noreplace(again, target)
        except FileExistsError:
            return ok("rename", "a photo goes from inbox to output by one rename, which overwrites nothing")
        finally:
            again.unlink(missing_ok=True)
        return fault("rename", "the kernel's rename overwrites in spite of RENAME_NOREPLACE", "use another file system")
    except OSError as error:
        return _no_rename(inbox, output, error)
    finally:
        for path in (source, target):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _no_rename(inbox: Path, output: Path, error: OSError) -> Finding:
    here, there = mount_of(inbox), mount_of(output)
    same = inbox.stat().st_dev == output.stat().st_dev
    if error.strerror and "ross-device" in error.strerror:
        if same:
            says = (
                "inbox and output are on one file system, but on two mounts of it, as two ReadWritePaths of a unit are"
            )
            cure = f"name their common parent alone: ReadWritePaths={word(os.path.commonpath([inbox, output]))}"
            return warning("rename", f"{says}: every photo is copied, synced and compared instead of renamed", cure)
        kinds = f"{here.kind if here else '?'} and {there.kind if there else '?'}"
        says = f"inbox and output are on two file systems ({kinds}): every photo is copied, synced and compared"
        return warning(
            "rename", says, "put both on one file system, or live with it: nothing is lost, it is only slower"
        )
    if error.errno in (22, 38, 95):
        return warning(
            "rename", "this file system has no rename that cannot overwrite; a hard link takes its place (slower)",
            "use a local file system for the output, or live with it: nothing is overwritten",
        )  # fmt: skip
    return fault(
        "rename",
        f"a file cannot be moved from inbox to output ({error.strerror})",
        f"ls -ld {word(inbox)} {word(output)}",
    )


def _look_at_links(output: Path, trusted: Sequence[int] | None) -> Iterator[Finding]:
    """Name the links in the output into which nothing is filed, because of who made them."""
    makers = trusted or (0, os.geteuid(), output.stat().st_uid)
    with suppress(OSError), os.scandir(output) as entries:
        for entry in entries:
            if entry.is_symlink() and entry.is_dir():
                maker, path = entry.stat(follow_symlinks=False).st_uid, output / entry.name
                if maker not in makers:
                    says = f"{printable(path)} is a link that user {maker} made: nothing is filed into it"
                    yield warning("links", says, f"sudo chown -h root {word(path)}")


def _look_at_daemon(inbox: Path) -> Finding:
    """Say whether a daemon holds the inbox, without touching its lock."""
    try:
        holder = holder_of(inbox / MARKER)
    except FileNotFoundError:
        holder = None
    except (OSError, ValueError) as error:
        return warning("daemon", f"it cannot be told whether one is at work on it ({error})", "phototriage status")
    return ok("daemon", f"process {holder} is at work on it" if holder else "none is at work on it now")


def become(uid: int, gid: int, groups: list[int]) -> None:
    """Give the rights of root up for those of a service's user."""
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    end_with_parent()  # the kernel forgets that request with a change of user


def answer(wish: dict[str, Any]) -> list[dict[str, Any]]:
    """Look at what is wished, and return the findings."""
    if wish.get("user") is not None:
        become(*wish["user"])
    if wish["what"] == "model":
        from daemon.doctor.model import look_at_model

        return [finding.facts() for finding in look_at_model(Path(os.fsdecode(bytes(wish["model"]))), wish["device"])]
    if wish["what"] == "ledger":
        from daemon.doctor.ledger import look_at_ledger

        return [finding.facts() for finding in look_at_ledger(Path(os.fsdecode(bytes(wish["ledger"]))))]
    inbox, output = (Path(os.fsdecode(bytes(wish[role]))) for role in ("inbox", "output"))
    return [finding.facts() for finding in look_at_folders(inbox, output, wish["mode"], wish.get("trusted"))]


if __name__ == "__main__":
    limit_process()
    json.dump(answer(json.load(sys.stdin)), sys.stdout)

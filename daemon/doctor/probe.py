"""Check an inbox and its output in a child process: on a dead mount only this child hangs, not the doctor.

The child can take on the service's user and run in the service's mount namespace. Then it sees what the service sees
and has the same rights. It reads a request from standard input and answers with findings, as JSON. It makes hidden
files, which a running daemon ignores, and removes them.
"""

import errno
import json
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from common.child import end_with_parent, give_up_root
from common.packages import missing_package
from common.text import printable
from daemon.doctor.finding import Finding, fault, ok, quoted, warning
from daemon.doctor.locks import holder_of
from daemon.files.marker import MARKER
from daemon.files.mounts import mount_of, mount_that_is_away
from daemon.files.rename import rename_noreplace, renameat2
from daemon.process.child import limit_process

LITTLE_MB, FEW_INODES = 1024, 10_000


def look_at_folders(inbox: Path, output: Path, mode: str, trusted: Sequence[int] | None = None) -> Iterator[Finding]:
    """Check both folders, and that a photo can be moved from one to the other.

    Args:
        inbox: the folder to take photos from.
        output: the folder of the class folders; may be missing if it can be made.
        mode: how photos are filed; only `move` needs to write to the inbox.
        trusted: ids of users whose links in the output are followed; None for root, this user and the output's owner.
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
        says = f"{name} is on a share ({mount.kind}): photos from other machines are found by scans, every few seconds"
        yield ok(role, says) if role == "inbox" else ok(role, f"{name} is on a share ({mount.kind})")
    else:
        yield ok(role, f"{name} is on {mount.kind if mount else 'a file system of unknown type'}")
    yield _rights(role, folder, write=write)
    yield from _room(role, folder)


def _missing(role: str, folder: Path) -> Finding:
    name, away = printable(folder), mount_that_is_away(folder)
    if away:
        return fault(
            role,
            f"{name} does not exist, because nothing is mounted at {printable(away)}",
            f"sudo mount {quoted(away)}",
        )
    if os.path.lexists(folder):
        return fault(role, f"{name} is not a folder, or this user cannot see it", f"ls -ld {quoted(folder)}")
    if role == "output" and folder.parent.is_dir() and os.access(folder.parent, os.W_OK | os.X_OK):
        return ok(role, f"{name} will be made at the first start")
    unused = f" (if it is no longer used: phototriage forget --inbox {quoted(folder)})" if role == "inbox" else ""
    return fault(role, f"{name} does not exist{unused}", f"mkdir -p {quoted(folder)}")


def _rights(role: str, folder: Path, *, write: bool) -> Finding:
    status, user = folder.stat(), os.geteuid()
    who = f"the user {user}"
    share = f"sudo chgrp {os.getegid()} {quoted(folder)} && sudo chmod g+rwxs {quoted(folder)}"
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
            role, f"every user of this machine may write to {printable(folder)}", f"sudo chmod o-w {quoted(folder)}"
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
        yield warning(role, f"{says}; a full disk pauses filing", f"df -h {quoted(folder)}")
    elif role == "output":
        yield ok(role, says)
    if room.f_files and room.f_favail < FEW_INODES:
        yield warning(role, f"only {room.f_favail:,} more files can be made", f"df -i {quoted(folder)}")


def _look_at_rename(inbox: Path, output: Path) -> Finding:
    """Move a real file from inbox to output with the kernel's rename, and check that it does not overwrite."""
    source = _probe_in(inbox)
    target = output / source.name
    try:
        renameat2(source, target)
        again = _probe_in(inbox)
        try:
            rename_noreplace(again, target)
        except FileExistsError:
            return ok("rename", "one rename moves a photo from inbox to output and overwrites nothing")
        finally:
            again.unlink(missing_ok=True)
        return fault(
            "rename", "the kernel's rename overwrites files despite RENAME_NOREPLACE", "use another file system"
        )
    except OSError as error:
        return _no_rename(inbox, output, error)
    finally:
        for path in (source, target):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _no_rename(inbox: Path, output: Path, error: OSError) -> Finding:
    here, there = mount_of(inbox), mount_of(output)
    same = inbox.stat().st_dev == output.stat().st_dev
    if error.errno == errno.EXDEV:  # two mounts, even of one file system: the daemon copies instead
        if same:
            says = (
                "inbox and output are on one file system, but on two mounts of it, as with two ReadWritePaths of a unit"
            )
            cure = f"name only their common parent: ReadWritePaths={quoted(os.path.commonpath([inbox, output]))}"
            return warning("rename", f"{says}: every photo is copied, synced and compared instead of renamed", cure)
        kinds = f"{here.kind if here else '?'} and {there.kind if there else '?'}"
        says = f"inbox and output are on two file systems ({kinds}): every photo is copied, synced and compared"
        return warning("rename", says, "put both on one file system, or accept slower filing: no photo is lost")
    if error.errno in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):  # RENAME_NOREPLACE is not supported
        return warning(
            "rename", "this file system has no rename without overwriting; hard links are used instead (slower)",
            "use a local file system for the output, or accept slower filing: nothing is overwritten",
        )  # fmt: skip
    return fault(
        "rename",
        f"a file cannot be moved from inbox to output ({error.strerror})",
        f"ls -ld {quoted(inbox)} {quoted(output)}",
    )


def _look_at_links(output: Path, trusted: Sequence[int] | None) -> Iterator[Finding]:
    """Report links in the output that are not followed, because an untrusted user made them."""
    makers = trusted or (0, os.geteuid(), output.stat().st_uid)
    with suppress(OSError), os.scandir(output) as entries:
        for entry in entries:
            if entry.is_symlink() and entry.is_dir():
                maker, path = entry.stat(follow_symlinks=False).st_uid, output / entry.name
                if maker not in makers:
                    says = f"{printable(path)} is a link made by user {maker}, so nothing is filed into it"
                    yield warning("links", says, f"sudo chown -h root {quoted(path)}")


def _look_at_daemon(inbox: Path) -> Finding:
    """Report whether a daemon holds the inbox, without touching its lock."""
    try:
        holder = holder_of(inbox / MARKER)
    except FileNotFoundError:
        holder = None
    except (OSError, ValueError) as error:
        return warning("daemon", f"whether a daemon uses this inbox is unknown ({error})", "phototriage status")
    return ok("daemon", f"process {holder} uses this inbox" if holder else "no daemon uses this inbox now")


def become(uid: int, gid: int, groups: list[int]) -> None:
    """Give up root's rights and take those of a service's user."""
    give_up_root(uid, gid, groups)
    end_with_parent()  # the kernel forgets that request with a change of user


def answer(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Check what the request names, and return the findings."""
    if request.get("user") is not None:
        become(*request["user"])
    if request["what"] == "model":
        try:
            from daemon.doctor.model import look_at_model
        except (ImportError, AttributeError) as error:
            if not missing_package("The check", error):
                raise
            says = "not opened, because ONNX Runtime cannot be loaded"
            return [fault("model", says, "the command stands above, under onnx runtime").facts()]
        return [
            finding.facts() for finding in look_at_model(Path(os.fsdecode(bytes(request["model"]))), request["device"])
        ]
    if request["what"] == "ledger":
        from daemon.doctor.ledger import look_at_ledger

        return [finding.facts() for finding in look_at_ledger(Path(os.fsdecode(bytes(request["ledger"]))))]
    inbox, output = (Path(os.fsdecode(bytes(request[role]))) for role in ("inbox", "output"))
    return [finding.facts() for finding in look_at_folders(inbox, output, request["mode"], request.get("trusted"))]


if __name__ == "__main__":
    limit_process()
    json.dump(answer(json.load(sys.stdin)), sys.stdout)

"""The order of the protocol, by a system-call trace: a kill cannot show a missing sync, for the page cache survives."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from daemon.filing.move import temporary_beside
from tests.daemon.support import command, environment, identity_of, intent, model_file, opened_ledger, unique, write

CALLS = "mkdir,renameat2,linkat,fsync,fdatasync,pwrite64,unlink"
LINE = re.compile(r"\d+ +(\w+)\((?:\d+<([^>]*)>|AT_FDCWD<[^>]*>, \"([^\"]*)\"|\"([^\"]*)\")")


class Call(NamedTuple):
    """One system call, and the file or the source of the rename that it was about."""

    name: str
    path: str


@pytest.mark.system("strace")
def test_intent_rename_photo_folders_outcome_are_made_durable_in_this_order(tmp_path: Path) -> None:
    inbox, output, state = tmp_path / "in", tmp_path / "out", tmp_path / "state"
    inbox.mkdir()
    photo = write(inbox / "a.jpg", unique("red", 1))
    calls = traced(tmp_path, inbox, output, state)
    wal, filed = str(state / "ledger.sqlite-wal"), str(output / "red" / "a.jpg")

    renamed = calls.index(Call("renameat2", str(photo)))
    before, after = calls[:renamed], calls[renamed + 1 :]
    written = last(before, Call("pwrite64", wal))
    assert Call("fdatasync", wal) in before[written:], "the intent was not synced before the rename"

    concluded = after.index(Call("pwrite64", wal))
    synced = after[:concluded]
    assert Call("fdatasync", filed) in synced, "the photo's data was not synced before its outcome"
    made = calls.index(Call("mkdir", str(output / "red")))
    assert Call("fsync", str(output)) in calls[made : renamed + 1 + concluded], "the new class folder was not synced"
    for folder in (output / "red", inbox):
        assert Call("fsync", str(folder)) in synced, f"{folder.name} was not synced before the outcome"
    assert Call("fdatasync", wal) in after[concluded:], "the outcome was not synced"


@pytest.mark.system("strace")
def test_a_copy_across_file_systems_is_durable_before_it_is_published_and_published_before_its_source_goes(
    tmp_path: Path, elsewhere: Path
) -> None:
    inbox, output, state = tmp_path / "in", elsewhere / "out", tmp_path / "state"
    inbox.mkdir()
    photo = write(inbox / "a.jpg", unique("red", 1))
    calls = traced(tmp_path, inbox, output, state)
    folder, wal = str(output / "red"), str(state / "ledger.sqlite-wal")

    removed = calls.index(Call("unlink", str(photo)))
    published = next(n for n, call in enumerate(calls) if call.name == "linkat" and call.path.startswith(folder))
    copy = calls[published].path
    assert Call("fsync", copy) in calls[:published], "the copy was published before its data was synced"
    assert Call("fsync", folder) in calls[published:removed], "the source went before the copy's name was synced"
    concluded = next(n for n in range(removed, len(calls)) if calls[n] == Call("pwrite64", wal))
    assert Call("fsync", str(inbox)) in calls[removed:concluded], "the inbox was not synced before the outcome"
    written = calls.index(Call("fdatasync", wal), concluded)
    assert Call("unlink", copy) in calls[written:], "the proof of the publishing went before its outcome was synced"
    assert Call("unlink", copy) not in calls[published:written]


@pytest.mark.system("strace")
def test_the_proof_that_a_copy_was_published_goes_after_its_outcome_is_durable(tmp_path: Path) -> None:
    inbox, output, state = tmp_path / "in", tmp_path / "out", tmp_path / "state"
    inbox.mkdir()
    write(inbox / "a.jpg", unique("red", 1))
    calls = traced(tmp_path, inbox, output, state, "--mode", "copy")
    wal = str(state / "ledger.sqlite-wal")

    published = next(n for n, call in enumerate(calls) if call.name == "linkat")
    concluded = calls.index(Call("pwrite64", wal), published)
    assert Call("fsync", str(output / "red")) in calls[published:concluded], (
        "the name was not synced before the outcome"
    )
    gone = calls.index(Call("unlink", calls[published].path), published)
    assert Call("fdatasync", wal) in calls[concluded:gone], "the proof went before the outcome was durable"


@pytest.mark.system("strace")
def test_what_a_crash_left_is_made_durable_before_its_original_goes_and_that_before_its_outcome(tmp_path: Path) -> None:
    inbox, output, state = tmp_path / "in", tmp_path / "out", tmp_path / "state"
    for folder in (inbox, output / "red", state):
        folder.mkdir(parents=True)
    photo, copy = write(inbox / "a.jpg", unique("red", 1)), output / "red" / "a.jpg"
    shutil.copy2(photo, copy)
    temporary_beside(copy, photo, identity_of(photo)).hardlink_to(copy)
    with opened_ledger(state / "ledger.sqlite") as ledger:
        ledger.intend([intent(photo, copy)], 1.0)
    calls = traced(tmp_path, inbox, output, state)

    (removed,) = (number for number, call in enumerate(calls) if call.name == "unlink" and call.path.endswith("/a.jpg"))
    before, after = calls[:removed], calls[removed:]
    assert Call("fdatasync", str(copy)) in before, "the original went before the data of what was moved was synced"
    assert Call("fsync", str(copy.parent)) in before, "the original went before the name of what was moved was synced"
    concluded = after.index(Call("pwrite64", str(state / "ledger.sqlite-wal")))
    assert Call("fsync", str(inbox)) in after[:concluded], "the inbox was not synced before the outcome"


@pytest.mark.system("strace")
def test_a_marker_is_durable_before_it_has_its_name(tmp_path: Path) -> None:
    inbox, output, state = tmp_path / "in", tmp_path / "out", tmp_path / "state"
    inbox.mkdir()
    calls = traced(tmp_path, inbox, output, state)
    for root in (inbox, output):
        named = next(n for n, call in enumerate(calls) if call.name == "renameat2" and call.path.startswith(f"{root}/"))
        assert Call("fsync", calls[named].path) in calls[:named], "a marker may be empty after a power cut"
        assert Call("fsync", str(root)) in calls[named:], "a marker may be gone after a power cut"


def traced(folder: Path, inbox: Path, output: Path, state: Path, *more: str) -> list[Call]:
    """Run `sort` and return its calls in order, across threads."""
    log = folder / "trace"
    words = command("sort", "--inbox", inbox, "--output", output, "--model", model_file(folder), *more)
    env = environment(STATE_DIRECTORY=str(state))
    strace = ["strace", "-f", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(log)]
    subprocess.run([*strace, *words], check=True, capture_output=True, timeout=60, env=env)
    found = (LINE.match(line) for line in log.read_text().splitlines())
    return [Call(match[1], match[2] or match[3] or match[4]) for match in found if match]


def last(calls: list[Call], wanted: Call) -> int:
    return len(calls) - 1 - calls[::-1].index(wanted)

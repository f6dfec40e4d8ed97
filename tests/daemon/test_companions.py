"""Sidecars, films and raw data travel with the photo of their name, whenever they come; nothing is overwritten."""

import errno
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from common.errors import Reason
from daemon.files.companion_forms import COMPANION_EXTENSIONS
from daemon.files.companion_names import companion_name, is_companion
from daemon.filing import transfers as transfers_module
from daemon.filing.companions import late as late_module
from daemon.filing.companions.replaced import is_kept
from daemon.filing.companions.waiting import LATE_S, MAX_WAITING, Companions, photo_is_coming
from daemon.filing.modes import transfer
from daemon.filing.move import MoveResult, SourceChangedError
from daemon.filing.recovery import reconcile
from daemon.filing.transfers import Transfers
from daemon.ledger.intent import Intent
from daemon.photo import Mode, Outcome, Photo
from daemon.status.monitor import Monitor, Sources
from daemon.status.snapshot import StatusSnapshot
from daemon.status.snapshot_parts import WaitingCompanions
from daemon.status.table import table
from tests.daemon.house import House, ask, told
from tests.daemon.support import (
    HandClock,
    command,
    companion,
    daemon,
    environment,
    faulty,
    identity_of,
    model_file,
    opened_filer,
    opened_ledger,
    plain,
    roots,
    run,
    scored,
    tree,
    unique,
    write,
)


def part(path: Path, data: bytes = b"sidecar") -> Photo:
    """Return a companion as it comes out of the decoder."""
    write(path, data)
    return companion(path)


def names(folder: Path) -> list[str]:
    return sorted(tree(folder))


def test_companions_are_known_by_their_ending_whatever_its_case() -> None:
    for name in (
        "a.xmp",
        "a.XMP",
        "a.jpg.xmp",
        "a.AAE",
        "a.json",
        "a.MOV",
        "a.CR2",
        "a.nef",
        "a.Dng",
        "a.MP",
        "a.MP~2",
    ):
        assert is_companion(Path(name)), name
    for name in ("a.jpg", "a.jpg.why.txt", "xmp", "a.xmp.bak", "a.avi", "a.html"):
        assert not is_companion(Path(name)), name
    assert all(extension == extension.lower() for extension in COMPANION_EXTENSIONS)


@pytest.mark.parametrize(
    ("companion", "destination", "name"),
    [
        ("IMG_1.xmp", "IMG_1.jpg", "IMG_1.xmp"), ("IMG_1.XMP", "IMG_1-2.jpg", "IMG_1-2.XMP"),
        ("IMG_1.jpg.xmp", "IMG_1-2.jpg", "IMG_1-2.jpg.xmp"), ("IMG_1.xmp", "2024 IMG_1.jpg", "2024 IMG_1.xmp"),
    ],
)  # fmt: skip
def test_a_companion_gets_its_photos_new_stem(companion: str, destination: str, name: str) -> None:
    assert companion_name(Path("in", companion), Path("in/IMG_1.jpg"), Path("red", destination)) == name


@pytest.mark.parametrize("together", [False, True], ids=["before", "in one batch"])
def test_companions_travel_in_the_transaction_of_their_photo_under_one_free_stem(
    tmp_path: Path, together: bool
) -> None:
    inbox, output = roots(tmp_path)
    (output / "red").mkdir()
    write(output / "red" / "a.jpg", b"theirs")
    write(output / "red" / "a-1.AAE", b"theirs")
    parts = [part(inbox / name, name.encode()) for name in ("a.xmp", "a.AAE", "a.jpg.json", "b.xmp", "a.png.xmp")]
    photo = scored(write(inbox / "a.jpg", plain("red")))
    with opened_filer(output, tmp_path / "l") as filer:
        if together:
            filer.file([*parts, photo])
        else:
            filer.file(parts)
            assert {one.filing.outcome for one in parts} == {Outcome.LEFT}
            filer.file([photo])
    assert photo.filing.destination == output / "red" / "a-2.jpg"
    assert tree(output / "red") == {
        "a.jpg": b"theirs", "a-1.AAE": b"theirs", "a-2.jpg": plain("red"), "a-2.xmp": b"a.xmp", "a-2.AAE": b"a.AAE",
        "a-2.jpg.json": b"a.jpg.json",
    }  # fmt: skip
    assert names(inbox) == ["a.png.xmp", "b.xmp"]
    with opened_ledger(tmp_path / "l") as ledger:
        rows = ledger._connection.execute("SELECT id, batch, part_of, state, label FROM photos ORDER BY id").fetchall()
    assert rows == [(1, 1, None, "filed", "red"), *((row, 1, 1, "filed", "red") for row in (2, 3, 4))]


def test_companions_that_come_late_follow_their_photo_and_overwrite_nothing(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([scored(write(inbox / "a.jpg", unique("red", n))) for n in (1,)])
        filer.file([scored(write(inbox / "a.jpg", unique("red", 2)))])
        write(output / "red" / "a-1.xmp", b"theirs")
        late = [part(inbox / "a.xmp"), part(inbox / "a.jpg.json")]
        filer.file(late)
    assert [one.filing.outcome for one in late] == [Outcome.FILED] * 2
    assert [one.filing.reason for one in late] == ["it follows a-1.jpg"] * 2
    assert names(output / "red") == ["a-1-1.xmp", "a-1.jpg", "a-1.jpg.json", "a-1.xmp", "a.jpg"]
    assert tree(output / "red")["a-1.xmp"] == b"theirs"
    with opened_ledger(tmp_path / "l") as ledger:
        rows = ledger._connection.execute("SELECT part_of FROM photos WHERE part_of IS NOT NULL").fetchall()
    assert rows == [(2,), (2,)]


def test_a_late_companions_row_names_the_model_that_judged_its_photo(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l") as filer:
        path = write(inbox / "a.jpg", unique("red", 1))
        filer.file([scored(path, model="first", provider="cuda", thresholds={"red": 0.25})])
        filer.file([part(inbox / "a.xmp")])
    with opened_ledger(tmp_path / "l") as ledger:
        rows = ledger._connection.execute("SELECT model, provider, threshold FROM photos").fetchall()
    assert rows == 2 * [("first", "cuda", 0.25)]


@pytest.mark.parametrize("why", ["too late", "photo gone", "a new photo is coming", "another folder"])
def test_a_companion_that_may_be_another_photos_waits(tmp_path: Path, why: str) -> None:
    inbox, output = roots(tmp_path)
    clock = HandClock()
    with opened_filer(output, tmp_path / "l", clock) as filer:
        filer.file([scored(write(inbox / "a.jpg", plain("red")))])
        place = inbox / "a.xmp"
        if why == "too late":
            clock.turn(LATE_S + 1)
        elif why == "photo gone":
            (output / "red" / "a.jpg").unlink()
        elif why == "a new photo is coming":
            write(inbox / "a.JPG", plain("green"))
        else:
            (inbox / "sub").mkdir()
            place = inbox / "sub" / "a.xmp"
        late = part(place)
        filer.file([late])
        assert (late.filing.outcome, late.filing.destination) == (Outcome.LEFT, None)
        assert place.exists()
        if why == "a new photo is coming":
            filer.file([scored(inbox / "a.JPG", "green")])
            assert names(output / "green") == ["a.JPG", "a.xmp"]


def test_companions_go_where_their_photo_goes_also_into_failed_and_get_no_note(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    torn = faulty(write(inbox / "a.jpg", b"torn"), Reason.CORRUPT)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([part(inbox / "a.xmp"), torn])
    assert names(output) == ["_failed/a.jpg", "_failed/a.jpg.why.txt", "_failed/a.xmp"]


def test_companions_of_a_photo_that_stays_stay_and_travel_with_it_later(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    write(output / "red", b"a file in the way")
    photo = scored(write(inbox / "a.jpg", plain("red")))
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([part(inbox / "a.xmp"), photo])
        assert photo.filing.outcome is Outcome.AGAIN
        assert names(inbox) == ["a.jpg", "a.xmp"]
        (output / "red").unlink()
        filer.file([photo])
    assert names(output) == ["red/a.jpg", "red/a.xmp"]


def test_a_companion_that_was_rewritten_is_not_taken_in_its_old_state(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([part(inbox / "a.xmp")])
        write(inbox / "a.xmp", b"half of the new")
        filer.file([scored(write(inbox / "a.jpg", plain("red")))])
        assert names(inbox) == ["a.xmp"]
        filer.file([part(inbox / "a.xmp", b"the new one")])
    assert tree(output / "red")["a.xmp"] == b"the new one"


@pytest.mark.parametrize("failing", ["a.jpg", "a.xmp"])
def test_a_companion_that_was_seen_before_is_not_forgotten_when_its_photo_or_itself_cannot_be_moved_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    inbox, output = roots(tmp_path)

    def place_others(mode: Mode, source: Path, *rest: Any) -> MoveResult:
        if source.name == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return transfer(mode, source, *rest)

    photo, clock = scored(write(inbox / "a.jpg", plain("red"))), HandClock()
    with opened_filer(output, tmp_path / "l", clock) as filer:
        filer.file([part(inbox / "a.xmp")])
        with monkeypatch.context() as broken:
            broken.setattr(transfers_module, "transfer", place_others)
            filer.file([photo])
        assert (inbox / "a.xmp").exists()
        clock.turn(1.0)
        filer.file([photo] if failing == "a.jpg" else [])
    assert names(output / "red") == ["a.jpg", "a.xmp"]
    assert names(inbox) == []


def test_a_companion_that_was_taken_away_gives_its_photo_no_other_name(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    (output / "red").mkdir()
    write(output / "red" / "a.xmp", b"theirs")
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([part(inbox / "a.xmp")])
        (inbox / "a.xmp").unlink()
        filer.file([scored(write(inbox / "a.jpg", plain("red")))])
    assert names(output / "red") == ["a.jpg", "a.xmp"]


def test_a_companion_whose_own_move_fails_follows_with_the_next_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, output = roots(tmp_path)
    real = Transfers._transfer

    def meddled(self: Transfers, photo: Photo, row: int, intent: Intent) -> None:
        """Take the name of the companion at the last moment."""
        if photo.filing.follows is not None and photo.filing.follows_row is None:
            write(output / "red" / "a.xmp", b"theirs")
        real(self, photo, row, intent)

    monkeypatch.setattr(Transfers, "_transfer", meddled)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([part(inbox / "a.xmp"), scored(write(inbox / "a.jpg", plain("red")))])
    assert tree(output / "red") == {"a.jpg": plain("red"), "a.xmp": b"theirs", "a-1.xmp": b"sidecar"}
    assert names(inbox) == []


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.HARDLINK, Mode.SYMLINK])
def test_where_photos_stay_their_companions_stay_too_and_are_not_filed_twice(tmp_path: Path, mode: Mode) -> None:
    inbox, output = roots(tmp_path)
    early, photo = part(inbox / "a.xmp"), scored(write(inbox / "a.jpg", plain("red")))
    with opened_filer(output, tmp_path / "l", mode=mode) as filer:
        filer.file([early, photo])
        late = part(inbox / "a.json")
        filer.file([late])
    assert names(inbox) == ["a.jpg", "a.json", "a.xmp"]
    assert sorted(path.name for path in (output / "red").iterdir()) == ["a.jpg", "a.json", "a.xmp"]
    assert early.filing.stays
    with opened_ledger(tmp_path / "l") as ledger:
        assert all(ledger.known(one.path, one.found.identity) for one in (early, photo, late))


@pytest.mark.parametrize("name", ["a" * 251 + ".xmp", "a" * 247 + ".png.xmp"])
def test_a_companion_whose_photos_name_would_be_too_long_waits_and_holds_up_nothing(tmp_path: Path, name: str) -> None:
    assert not photo_is_coming(write(tmp_path / name, b"x"))


def test_the_memory_of_companions_has_an_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert MAX_WAITING >= 100_000
    monkeypatch.setattr("daemon.filing.companions.waiting.MAX_WAITING", 2)
    waiting = Companions()
    for name in "abc":
        waiting.add(part(tmp_path / f"{name}.xmp"))
    assert waiting.claim(tmp_path / "a.jpg") == []
    assert [one.path.name for one in waiting.claim(tmp_path / "c.jpg")] == ["c.xmp"]


def test_one_pass_takes_all_of_them_along_and_a_raw_file_is_never_taken_for_a_photo(tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    write(inbox / "a.jpg", plain("red"))
    write(inbox / "a.CR2", b"II*\0" + bytes(100))
    write(inbox / "lonely.NEF", b"II*\0" + bytes(100))
    options = ("sort", "--inbox", inbox, "--output", output, "--model", model_file(tmp_path))
    done = run(*options)
    assert done.returncode == 0, done.stderr
    assert "sorted 1 photo " in done.stderr
    assert "red 1, companion files 1, left in the inbox 1" in done.stderr
    assert "lonely.NEF stays in the inbox: it waits for the photo of the same name" in done.stdout
    assert names(output) == ["red/a.CR2", "red/a.jpg"]
    assert names(inbox) == ["lonely.NEF"]


@pytest.mark.system("strace")
@pytest.mark.parametrize("when", [4, 5, 6, 9])
def test_after_a_kill_between_a_photo_and_its_companions_they_are_together_again(tmp_path: Path, when: int) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    photos = {f"{number}.jpg": unique("red", number) for number in range(3)}
    parts = {f"{number}.{kind}": f"{kind} {number}".encode() for number in range(3) for kind in ("xmp", "CR2")}
    for name, data in (photos | parts).items():
        write(inbox / name, data)
    options = ("sort", "--inbox", inbox, "--output", output, "--model", model_file(tmp_path))
    inject = ["-e", "trace=renameat2", "-e", f"inject=renameat2:signal=SIGKILL:when={when}"]
    words = ["strace", "-f", "-qq", "-o", os.devnull, *inject, *command(*options)]
    assert subprocess.run(
        words, env=environment(TMPDIR=os.environ["HOME"]), capture_output=True, timeout=60
    ).returncode in (-9, 137)
    assert sorted((tree(inbox) | tree(output)).values()) == sorted((photos | parts).values())
    done = run(*options)
    assert done.returncode == 0, done.stderr
    assert tree(output) == {f"red/{name}": data for name, data in (photos | parts).items()}
    assert tree(inbox) == {}


def test_a_daemon_files_a_sidecar_that_comes_after_its_photo_and_again_each_time_that_it_is_edited(
    tmp_path: Path,
) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    with daemon("--inbox", inbox, "--output", output, "--model", model_file(tmp_path)) as one:
        one.ready()
        write(inbox / "a.jpg", plain("red"))
        one.photos({"a.jpg"})
        for version in (b"1", b"2"):
            write(inbox / "a.jpg.xmp", version)
            event = one.until(lambda event: event["event"] == "companion", "the sidecar")
            assert event["destination"] == str(output / "red" / "a.jpg.xmp")
            assert tree(output)["red/a.jpg.xmp"] == version
        write(inbox / "lonely.NEF", b"raw")
        one.until(lambda event: event.get("outcome") == "left", "the raw file without a photo")
        (said,) = told("status", "--inbox", inbox)
        assert said["companions"] == {"files": 1, "first": [str(inbox / "lonely.NEF")]}
        assert one.stop() == 0
    assert versions(output) == {"kept 1": b"1", "a.jpg": plain("red"), "a.jpg.xmp": b"2"}


def test_a_companion_that_can_never_follow_is_tried_ever_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, output = roots(tmp_path)
    clock, tries = HandClock(), list[float]()

    def refused(mode: Mode, source: Path, *rest: Any) -> Any:
        if source.suffix == ".xmp":
            tries.append(clock.now_s - 1_000.0)
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return transfer(mode, source, *rest)

    monkeypatch.setattr("daemon.filing.transfers.transfer", refused)
    with opened_filer(output, tmp_path / "l", clock) as filer:
        filer.file([scored(write(inbox / "a.jpg", plain("red")))])
        late = part(inbox / "a.xmp")
        for second in range(60):
            clock.now_s = 1_000.0 + second
            filer.file([late] if second == 0 else [])
    assert tries == [0.0, 1.0, 3.0, 7.0, 15.0, 30.0]
    assert (inbox / "a.xmp").exists()


class Killed(BaseException):
    """Ends the daemon at this moment, as a kill does."""


def edited_sidecar(inbox: Path, version: int) -> Photo:
    """Return a sidecar that is written in place."""
    return part(inbox / "a.jpg.xmp", f"rating {version}".encode())


def versions(output: Path) -> dict[str, bytes]:
    """Return the filed files; those with a hidden name as `kept`, and the number that their content bears."""
    there = {path: path.read_bytes() for path in (output / "red").iterdir()}
    return {f"kept {data[-1:].decode()}" if is_kept(path) else path.name: data for path, data in there.items()}


KEPT = {"kept 1": b"rating 1", "kept 2": b"rating 2", "a.jpg.xmp": b"rating 3", "a.jpg": plain("red")}


@pytest.mark.parametrize("mode", [Mode.MOVE, Mode.COPY])
def test_an_edited_sidecar_takes_the_place_of_the_filed_one_and_undo_brings_back_all_versions(
    tmp_path: Path, mode: Mode
) -> None:
    house = House(tmp_path / "house")
    with opened_filer(house.output, house.path, mode=mode) as filer:
        filer.file([edited_sidecar(house.inbox, 1), scored(write(house.inbox / "a.jpg", plain("red")))])
        for version in (2, 3):
            late = edited_sidecar(house.inbox, version)
            filer.file([late])
            assert (late.filing.outcome, late.filing.destination) == (Outcome.FILED, house.output / "red" / "a.jpg.xmp")
            with opened_ledger(house.path) as ledger:
                assert ledger.known(late.path, late.found.identity) == (mode is Mode.COPY)
    assert versions(house.output) == KEPT
    assert "it replaces the one filed before" in late.filing.reason
    rows = told("undo", "--last", "1")
    assert [row["reason"] for row in rows] == [""] * 4
    assert tree(house.output) == {}
    assert tree(house.inbox) == {
        "a.jpg": plain("red"), "a.jpg.xmp": b"rating 3", "a.jpg-1.xmp": b"rating 2", "a.jpg-2.xmp": b"rating 1",
    }  # fmt: skip


@pytest.mark.parametrize("mode", [Mode.HARDLINK, Mode.SYMLINK])
def test_a_linked_sidecar_that_is_edited_in_place_is_not_filed_again(tmp_path: Path, mode: Mode) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l", mode=mode) as filer:
        filer.file([edited_sidecar(inbox, 1), scored(write(inbox / "a.jpg", plain("red")))])
        again = edited_sidecar(inbox, 2)
        filer.file([again])
        assert (again.filing.outcome, again.filing.stays) == (Outcome.LEFT, True)
    assert versions(output) == {"a.jpg": plain("red"), "a.jpg.xmp": b"rating 2"}
    with opened_ledger(tmp_path / "l") as ledger:
        assert ledger.known(again.path, again.found.identity)


def test_a_linked_sidecar_that_is_replaced_keeps_its_old_version(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l", mode=Mode.HARDLINK) as filer:
        filer.file([edited_sidecar(inbox, 1), scored(write(inbox / "a.jpg", plain("red")))])
        (inbox / "a.jpg.xmp").unlink()  # as an editor does that writes a new file and renames it
        filer.file([edited_sidecar(inbox, 2)])
    assert versions(output) == {"a.jpg": plain("red"), "a.jpg.xmp": b"rating 2", "kept 1": b"rating 1"}


@pytest.mark.parametrize("name", ["a.MOV", "a.CR2", "a.WAV"])
def test_a_film_or_raw_file_of_the_same_name_is_another_one_and_replaces_nothing(tmp_path: Path, name: str) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([part(inbox / name, b"1"), scored(write(inbox / "a.jpg", plain("red")))])
        filer.file([part(inbox / name, b"2")])
    first, last = name.split(".")
    assert versions(output) == {"a.jpg": plain("red"), name: b"1", f"{first}-1.{last}": b"2"}


def test_an_old_sidecar_that_its_owner_took_away_is_not_missed(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([edited_sidecar(inbox, 1), scored(write(inbox / "a.jpg", plain("red")))])
        (output / "red" / "a.jpg.xmp").unlink()
        filer.file([edited_sidecar(inbox, 2)])
    assert versions(output) == {"a.jpg": plain("red"), "a.jpg.xmp": b"rating 2"}


@pytest.mark.parametrize("mode", [Mode.MOVE, Mode.COPY])
@pytest.mark.parametrize("point", ["set_aside", "after set_aside", "after transfer", "conclude"])
def test_killed_at_any_moment_an_edited_sidecar_and_the_old_one_are_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode, point: str
) -> None:
    inbox, output = roots(tmp_path)
    ledger_path = tmp_path / "l"

    def killed(real: Any) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            if point.startswith("after"):
                real(*arguments, **more)
            raise Killed

        return call

    with opened_filer(output, ledger_path, mode=mode) as filer:
        filer.file([edited_sidecar(inbox, 1), scored(write(inbox / "a.jpg", plain("red")))])
        if point == "conclude":
            monkeypatch.setattr(filer._ledger, "conclude", killed(filer._ledger.conclude))
        else:
            name = point.removeprefix("after ")
            monkeypatch.setattr(transfers_module, name, killed(getattr(transfers_module, name)))
        with pytest.raises(Killed):
            filer.file([edited_sidecar(inbox, 2)])
    monkeypatch.undo()
    original = [b"rating 2"] if (inbox / "a.jpg.xmp").exists() else []
    there = versions(output)
    assert {b"rating 1", b"rating 2"} == {*there.values(), *original} - {plain("red")}
    with opened_ledger(ledger_path) as ledger:
        reconcile(ledger, 1_000.0)
    assert versions(output)["a.jpg.xmp"] == (b"rating 2" if point in ("after transfer", "conclude") else b"rating 1")
    with opened_filer(output, ledger_path, mode=mode) as filer:
        path = inbox / "a.jpg.xmp"
        if path.exists() and not filer._ledger.known(path, identity_of(path)):
            filer.file([part(path, b"rating 2")])
    assert versions(output) == {"kept 1": b"rating 1", "a.jpg.xmp": b"rating 2", "a.jpg": plain("red")}


def test_where_earlier_versions_numbered_each_edit_the_sidecar_that_an_editor_reads_is_replaced(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([edited_sidecar(inbox, 1), scored(write(inbox / "a.jpg", plain("red")))])
        with pytest.MonkeyPatch.context() as earlier:
            earlier.setattr(late_module, "is_edited", lambda _: False)
            filer.file([edited_sidecar(inbox, 2)])
        filer.file([edited_sidecar(inbox, 3)])
    assert versions(output) == {
        "a.jpg": plain("red"), "kept 1": b"rating 1", "a.jpg-1.xmp": b"rating 2", "a.jpg.xmp": b"rating 3",
    }  # fmt: skip


def test_a_sidecar_whose_newer_version_was_withdrawn_is_not_filed_under_a_hidden_name(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([edited_sidecar(inbox, 1), scored(write(inbox / "a.jpg", plain("red")))])
        filer.file([edited_sidecar(inbox, 2)])
        # As where a program wrote on to the original: its copy is removed, and the whole file comes again.
        (output / "red" / "a.jpg.xmp").unlink()
        filer._ledger._connection.execute("UPDATE photos SET state = 'gone' WHERE id = (SELECT max(id) FROM photos)")
        filer.file([edited_sidecar(inbox, 3)])
    assert versions(output) == {"a.jpg": plain("red"), "kept 1": b"rating 1", "a.jpg.xmp": b"rating 3"}


@pytest.mark.parametrize("trouble", [OSError(errno.ENOSPC, "No space left on device"), SourceChangedError()])
def test_an_edited_sidecar_that_cannot_be_filed_leaves_the_old_one_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    inbox, output = roots(tmp_path)

    def refused(*_: Any) -> Any:
        raise trouble

    clock = HandClock()
    with opened_filer(output, tmp_path / "l", clock) as filer:
        filer.file([edited_sidecar(inbox, 1), scored(write(inbox / "a.jpg", plain("red")))])
        with monkeypatch.context() as broken:
            broken.setattr(transfers_module, "transfer", refused)
            late = edited_sidecar(inbox, 2)
            filer.file([late])
        assert versions(output) == {"a.jpg.xmp": b"rating 1", "a.jpg": plain("red")}
        clock.turn(60.0)
        filer.file([edited_sidecar(inbox, 2)] if isinstance(trouble, SourceChangedError) else [])
    assert versions(output) == {"kept 1": b"rating 1", "a.jpg.xmp": b"rating 2", "a.jpg": plain("red")}


def test_a_companion_without_a_photo_is_reported_once_also_after_a_restart(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)

    def told_of(path: Path) -> bool:
        with opened_filer(output, tmp_path / "l") as filer:
            alone = companion(path)
            filer.file([alone])
            assert alone.filing.outcome is Outcome.LEFT
            return not alone.filing.is_told

    path = write(inbox / "a.xmp", b"sidecar")
    assert [told_of(path), told_of(path), told_of(path)] == [True, False, False]
    write(path, b"edited since")
    assert [told_of(path), told_of(path)] == [True, False]
    write(inbox / "b.JPG", b"not filed yet")
    assert not told_of(write(inbox / "b.xmp", b"its photo is coming"))
    (inbox / "b.JPG").unlink()
    assert told_of(inbox / "b.xmp")


def test_the_reported_companions_that_are_remembered_have_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.ledger.lonely.MAX_REPORTED", 2)
    parts = [part(tmp_path / f"{name}.xmp") for name in "abc"]
    with opened_ledger(tmp_path / "l") as ledger:
        assert [len(ledger.newly_lonely([one])) for one in (*parts, *reversed(parts))] == [1, 1, 1, 0, 0, 1]


def test_a_status_names_the_first_companions_that_wait_and_forgets_those_that_are_gone(tmp_path: Path) -> None:
    waiting, monitor = Companions(), Monitor(HandClock())  # type: ignore[arg-type]
    parts = [part(tmp_path / f"{number}.xmp") for number in range(8)]
    for one in parts:
        waiting.add(one)
    for number in (0, 3):
        (tmp_path / f"{number}.xmp").unlink()
    monitor.sources = Sources(companions=waiting.lonely)
    first = tuple(str(tmp_path / f"{number}.xmp") for number in (1, 2, 4, 5, 6))
    snapshot = monitor.snapshot()
    assert snapshot.companions == WaitingCompanions(6, first)
    assert StatusSnapshot.from_json(json.loads(json.dumps(snapshot.to_json()))) == snapshot
    assert f"6 wait for the photo of the same name: {', '.join(first)} and 1 more" in table(snapshot)
    for one in parts:
        waiting.remove(one)
    assert "companions" not in table(monitor.snapshot())


def test_explain_says_of_a_companion_which_photo_it_belongs_to(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    with opened_filer(house.output, house.path) as filer:
        filer.file([edited_sidecar(house.inbox, 1), scored(write(house.inbox / "a.jpg", plain("red")))])
        filer.file([edited_sidecar(house.inbox, 2)])
    place = house.output / "red" / "a.jpg.xmp"
    assert "a.jpg.xmp is a companion of red/a.jpg, filed with it on " in (said := ask("explain", place).stdout)
    assert "belongs to  red/a.jpg\n" in said
    assert "content     not read, because it is a companion; 8 bytes\n" in said
    assert {row["companion_of"] for row in told("explain", place)} == {str(house.output / "red" / "a.jpg")}
    (kept,) = (path for path in place.parent.iterdir() if is_kept(path))
    assert "is an older version of a companion of red/a.jpg, filed on " in ask("explain", kept).stdout
    write(place, b"edited by its owner")
    assert "; it was changed since.\n" in ask("explain", place).stdout
    assert "A companion of red/a.jpg at this path was filed" in ask("explain", house.inbox / "a.jpg.xmp").stdout


@pytest.mark.parametrize(
    ("name", "beside", "awaited"),
    [
        ("b.jpg.xmp", "", "b.jpg."), ("b.NEF", "", "b with the extension of a photo."),
        ("b.NEF", "b.JPG", "b.JPG, which lies beside it and is not filed yet."),
    ],
)  # fmt: skip
def test_explain_says_which_photo_a_companion_waits_for(tmp_path: Path, name: str, beside: str, awaited: str) -> None:
    house = House(tmp_path / "house")
    write(house.inbox / name, b"x")
    if beside:
        write(house.inbox / beside, b"x")
    said = ask("explain", house.inbox / name).output
    assert f"It waits in the inbox {house.inbox} for its photo, {awaited}" in said

"""After a kill at any point every photo is in one place, and the ledger says which."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from daemon.files.identity import Identity
from daemon.filing import proof
from daemon.filing.failure_note import write_failure_note
from daemon.filing.move import former_temporary_beside, temporary_beside
from daemon.filing.recovery import reconcile
from daemon.ledger.movers import Mover
from daemon.ledger.schema import MIGRATIONS
from daemon.ledger.state_folder import state_folder
from daemon.photo import Mode, Outcome
from tests.daemon.conftest import Stranger
from tests.daemon.support import daemon, identity_of, intent, model_file, opened_ledger, plain, roots, run, tree, write

PHOTO, OTHER = plain("red"), plain("green")

Crash = Callable[[Path, Path], None]
"""Brings source and target to the state in which the kill left them."""


def before_the_rename(source: Path, target: Path) -> None:
    pass


def before_the_rename_with_a_stranger_at_the_target(source: Path, target: Path) -> None:
    target.write_bytes(OTHER)


def with_a_stranger_of_equal_size(source: Path, target: Path) -> None:
    target.write_bytes(bytes(reversed(PHOTO)))


def after_the_rename(source: Path, target: Path) -> None:
    source.rename(target)


def between_link_and_unlink(source: Path, target: Path) -> None:
    os.link(source, target)


def name_reserved(source: Path, target: Path) -> None:
    target.touch()


def copy_half_done(source: Path, target: Path) -> None:
    temporary_beside(target, source, identity_of(source)).write_bytes(PHOTO[:100])


def copied_half_by_an_earlier_version(source: Path, target: Path) -> None:
    former_temporary_beside(target, source, identity_of(source)).write_bytes(PHOTO[:100])


def copied_not_published(source: Path, target: Path) -> None:
    temporary_beside(target, source, identity_of(source)).write_bytes(PHOTO)


def with_a_twin_at_the_target(source: Path, target: Path) -> None:
    """As another inbox files it that holds the same photo with the same time."""
    shutil.copy2(source, target)


def with_a_link_to_it_at_the_target(source: Path, target: Path) -> None:
    """As another inbox files it that holds a hard link to it."""
    os.link(source, target)


def copied_and_a_twin_at_the_target_by_an_earlier_version(source: Path, target: Path) -> None:
    shutil.copy2(source, former_temporary_beside(target, source, identity_of(source)))
    shutil.copy2(source, target)


def copied_by_an_earlier_version(source: Path, target: Path) -> None:
    shutil.copy2(source, target)


def before_the_rename_with_a_stranger_of_equal_content(source: Path, target: Path) -> None:
    target.write_bytes(PHOTO)


def copied_not_published_and_a_stranger_of_equal_content_and_time(source: Path, target: Path) -> None:
    shutil.copy2(source, temporary_beside(target, source, identity_of(source)))
    shutil.copy2(source, target)


def published_by_a_link(source: Path, target: Path) -> None:
    copy = temporary_beside(target, source, identity_of(source))
    shutil.copy2(source, copy)
    os.link(copy, target)


def published_by_a_link_and_removed(source: Path, target: Path) -> None:
    published_by_a_link(source, target)
    source.unlink()


def published_and_edited_by_its_owner(source: Path, target: Path) -> None:
    published_by_a_link(source, target)
    target.write_bytes(OTHER)


def published_and_the_original_edited_with_its_time_kept(source: Path, target: Path) -> None:
    published_by_a_link(source, target)
    with source.open("r+b") as file:
        file.write(bytes(reversed(PHOTO)))
    os.utime(source, (1_500_000_000.5, 1_500_000_000.5))


def published_and_removed(source: Path, target: Path) -> None:
    target.write_bytes(PHOTO)
    source.unlink()


def renamed_and_a_new_file_under_the_old_name(source: Path, target: Path) -> None:
    source.rename(target)
    source.write_bytes(OTHER)


def published_and_a_new_file_under_the_old_name(source: Path, target: Path) -> None:
    target.write_bytes(PHOTO)
    source.unlink()
    source.write_bytes(OTHER)


def published_and_the_same_photo_again_under_the_old_name(source: Path, target: Path) -> None:
    target.write_bytes(PHOTO)
    write(source.with_name("b"), PHOTO).rename(source)


def replaced_before_the_rename(source: Path, target: Path) -> None:
    write(source.with_name("b"), OTHER).rename(source)


def gone_from_both(source: Path, target: Path) -> None:
    source.unlink()


def gone_and_a_stranger_at_the_target(source: Path, target: Path) -> None:
    source.unlink()
    target.write_bytes(OTHER)


def class_folder_gone(source: Path, target: Path) -> None:
    target.parent.rmdir()


def filed_and_changed_by_its_owner(source: Path, target: Path) -> None:
    source.unlink()
    target.write_bytes(PHOTO + b"edited")


def linked_by_name(source: Path, target: Path) -> None:
    target.symlink_to(source)


IN, OUT = "inbox/a.jpg", "red/a.jpg"


@pytest.mark.parametrize("across", [False, True], ids=["one file system", "two file systems"])
@pytest.mark.parametrize(
    ("crash", "after", "outcome"),
    [
        (before_the_rename, {IN: PHOTO}, None),
        (before_the_rename_with_a_stranger_at_the_target, {IN: PHOTO, OUT: OTHER}, None),
        (with_a_stranger_of_equal_size, {IN: PHOTO, OUT: bytes(reversed(PHOTO))}, None),
        (after_the_rename, {OUT: PHOTO}, Outcome.FILED),
        (with_a_link_to_it_at_the_target, {IN: PHOTO, OUT: PHOTO}, None),
        (name_reserved, {IN: PHOTO, OUT: b""}, None),
        (copy_half_done, {IN: PHOTO}, None),
        (copied_not_published, {IN: PHOTO}, None),
        (with_a_twin_at_the_target, {IN: PHOTO, OUT: PHOTO}, None),
        (before_the_rename_with_a_stranger_of_equal_content, {IN: PHOTO, OUT: PHOTO}, None),
        (copied_not_published_and_a_stranger_of_equal_content_and_time, {IN: PHOTO, OUT: PHOTO}, None),
        (published_by_a_link, {OUT: PHOTO}, Outcome.FILED),
        (published_by_a_link_and_removed, {OUT: PHOTO}, Outcome.FILED),
        (published_and_edited_by_its_owner, {IN: PHOTO, OUT: OTHER}, None),
        (published_and_the_original_edited_with_its_time_kept, {IN: bytes(reversed(PHOTO)), OUT: PHOTO}, Outcome.FILED),
        (published_and_removed, {OUT: PHOTO}, Outcome.FILED),
        (renamed_and_a_new_file_under_the_old_name, {IN: OTHER, OUT: PHOTO}, Outcome.FILED),
        (published_and_a_new_file_under_the_old_name, {IN: OTHER, OUT: PHOTO}, Outcome.FILED),
        (published_and_the_same_photo_again_under_the_old_name, {IN: PHOTO, OUT: PHOTO}, Outcome.FILED),
        (replaced_before_the_rename, {IN: OTHER}, None),
        (gone_from_both, {}, Outcome.GONE),
        (gone_and_a_stranger_at_the_target, {OUT: OTHER}, Outcome.GONE),
        (class_folder_gone, {IN: PHOTO}, None),
        (filed_and_changed_by_its_owner, {OUT: PHOTO + b"edited"}, Outcome.GONE),
    ],
)
def test_each_crash_is_finished_or_forgotten(
    tmp_path: Path, request: pytest.FixtureRequest, across: bool, crash: Crash, after: dict[str, bytes],
    outcome: Outcome | None,
) -> None:  # fmt: skip
    if across and crash in (
        after_the_rename, with_a_link_to_it_at_the_target, renamed_and_a_new_file_under_the_old_name,
    ):  # fmt: skip
        pytest.skip("a rename or a link never spans two file systems")
    output: Path = request.getfixturevalue("elsewhere") if across else tmp_path / "output"
    source, target = tmp_path / "root" / IN, output / OUT
    source.parent.mkdir(parents=True)
    target.parent.mkdir(parents=True)
    write(source, PHOTO, mtime_s=1_500_000_000.5)
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([intent(source, target)], 1.0)
        crash(source, target)
        assert reconcile(ledger, 2.0) == {source: outcome}
        assert tree(tmp_path / "root") | tree(output) == after
        assert ledger.open_intents(Mover.DAEMON) == {}
        states = ledger._connection.execute("SELECT state, concluded_at FROM photos").fetchall()
        assert states == ([(outcome.value, 2.0)] if outcome else [])
        assert reconcile(ledger, 3.0) == {}


@pytest.mark.parametrize("across", [False, True], ids=["one file system", "two file systems"])
@pytest.mark.parametrize(
    ("mode", "crash", "after", "outcome"),
    [
        (Mode.COPY, before_the_rename, {IN: PHOTO}, None),
        (Mode.COPY, copy_half_done, {IN: PHOTO}, None),
        (Mode.COPY, copied_not_published, {IN: PHOTO}, None),
        (Mode.COPY, with_a_twin_at_the_target, {IN: PHOTO, OUT: PHOTO}, None),
        (Mode.COPY, published_by_a_link, {IN: PHOTO, OUT: PHOTO}, Outcome.FILED),
        (Mode.COPY, published_and_removed, {OUT: PHOTO}, Outcome.FILED),
        (Mode.COPY, before_the_rename_with_a_stranger_at_the_target, {IN: PHOTO, OUT: OTHER}, None),
        (Mode.COPY, before_the_rename_with_a_stranger_of_equal_content, {IN: PHOTO, OUT: PHOTO}, None),
        (Mode.COPY, published_and_a_new_file_under_the_old_name, {IN: OTHER, OUT: PHOTO}, Outcome.FILED),
        (Mode.HARDLINK, before_the_rename, {IN: PHOTO}, None),
        (Mode.HARDLINK, between_link_and_unlink, {IN: PHOTO, OUT: PHOTO}, Outcome.FILED),
        (Mode.HARDLINK, with_a_twin_at_the_target, {IN: PHOTO, OUT: PHOTO}, None),
        (Mode.SYMLINK, before_the_rename, {IN: PHOTO}, None),
        (Mode.SYMLINK, linked_by_name, {IN: PHOTO}, Outcome.FILED),
        (Mode.SYMLINK, before_the_rename_with_a_stranger_at_the_target, {IN: PHOTO, OUT: OTHER}, None),
        (Mode.SYMLINK, with_a_twin_at_the_target, {IN: PHOTO, OUT: PHOTO}, None),
    ],
)
def test_originals_stay_whatever_a_crash_interrupted_where_they_are_copied_or_linked(
    tmp_path: Path, request: pytest.FixtureRequest, across: bool, mode: Mode, crash: Crash, after: dict[str, bytes],
    outcome: Outcome | None,
) -> None:  # fmt: skip
    if across and crash is between_link_and_unlink:
        pytest.skip("a link never spans two file systems")
    output: Path = request.getfixturevalue("elsewhere") if across else tmp_path / "output"
    source, target = tmp_path / "root" / IN, output / OUT
    source.parent.mkdir(parents=True)
    target.parent.mkdir(parents=True)
    write(source, PHOTO, mtime_s=1_500_000_000.5)
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([intent(source, target, mode=mode, held=source)], 1.0)
        crash(source, target)
        assert reconcile(ledger, 2.0) == {source: outcome}
    assert tree(tmp_path / "root") | tree(output) == after
    assert (mode is Mode.SYMLINK and outcome is not None) == target.is_symlink()


@pytest.mark.parametrize("mode", [Mode.MOVE, Mode.COPY])
@pytest.mark.parametrize(
    ("crash", "outcome"),
    [
        (copied_half_by_an_earlier_version, None), (copied_by_an_earlier_version, Outcome.FILED),
        (copied_and_a_twin_at_the_target_by_an_earlier_version, None),
    ],
)  # fmt: skip
def test_what_a_crash_of_an_earlier_version_left_is_finished_or_forgotten(
    tmp_path: Path, crash: Crash, outcome: Outcome | None, mode: Mode
) -> None:
    source, target = write(tmp_path / "a.jpg", PHOTO, mtime_s=1.5), tmp_path / "b.jpg"
    with opened_ledger(tmp_path / "new") as ledger:
        ledger.intend([intent(source, target, mode=mode)], 1.0)
        ledger._connection.row_factory = sqlite3.Row
        row = dict(ledger._connection.execute("SELECT * FROM photos").fetchone())
    with closing(sqlite3.connect(tmp_path / "l", isolation_level=None)) as old:
        for script in MIGRATIONS[:3]:
            old.executescript(script)
        old.execute("PRAGMA user_version = 3")
        columns = [name for _, name, *_ in old.execute("PRAGMA table_info(photos)")]
        places = ", ".join("?" * len(columns))
        old.execute(f"INSERT INTO photos ({', '.join(columns)}) VALUES ({places})", [row[name] for name in columns])
    crash(source, target)
    with opened_ledger(tmp_path / "l") as ledger:
        assert reconcile(ledger, 2.0) == {source: outcome}
    assert source.exists() == (mode is Mode.COPY or outcome is None)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("lacking", "crash"), [("has_noreplace", between_link_and_unlink), ("has_links", copied_by_an_earlier_version)]
)
def test_where_a_move_is_not_one_step_or_a_copy_leaves_no_proof_equal_content_and_time_must_do(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, lacking: str, crash: Crash
) -> None:
    source = write(tmp_path / "a.jpg", PHOTO, mtime_s=1.5)
    target = (tmp_path if lacking == "has_noreplace" else elsewhere) / "b.jpg"
    monkeypatch.setattr(proof, lacking, lambda _: False)
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([intent(source, target)], 1.0)
        crash(source, target)
        assert reconcile(ledger, 2.0) == {source: Outcome.FILED}
    assert (source.exists(), target.read_bytes()) == (False, PHOTO)


def test_on_one_file_system_without_hard_links_a_twin_is_known_because_its_inode_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = write(tmp_path / "a.jpg", PHOTO, mtime_s=1.5), tmp_path / "b.jpg"
    monkeypatch.setattr(proof, "has_links", lambda _: False)
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([intent(source, target)], 1.0)
        with_a_twin_at_the_target(source, target)
        assert reconcile(ledger, 2.0) == {source: None}
    assert source.exists()


@pytest.mark.parametrize("mode", [Mode.MOVE, Mode.COPY])
def test_a_hidden_name_that_a_kill_left_behind_its_outcome_goes_at_the_next_start(tmp_path: Path, mode: Mode) -> None:
    source, target = write(tmp_path / "a.jpg", PHOTO), tmp_path / "b.jpg"
    with opened_ledger(tmp_path / "l") as ledger:
        (row,) = ledger.intend([intent(source, target, mode=mode)], 1.0)
        published_by_a_link(source, target)
        ledger.conclude({row: Outcome.FILED}, 2.0)
        reconcile(ledger, 3.0)
    assert set(tree(tmp_path)) == {"a.jpg", "b.jpg", "l"}


def test_a_failed_photo_whose_note_a_kill_prevented_gets_it_at_the_next_start_and_no_second_one(tmp_path: Path) -> None:
    failed = tmp_path / "_failed"
    failed.mkdir()
    with opened_ledger(tmp_path / "l") as ledger:
        for name in ("a.jpg", "b.jpg"):
            source = write(tmp_path / name, PHOTO)
            ledger.intend([intent(source, failed / name, becomes=Outcome.FAILED, reason="corrupt: torn")], 1.0)
            source.rename(failed / name)
        write_failure_note(failed / "b.jpg", "b.jpg", "corrupt: torn")
        reconcile(ledger, 2.0)
    assert set(tree(failed)) == {"a.jpg", "a.jpg.why.txt", "b.jpg", "b.jpg.why.txt"}
    assert tree(failed)["a.jpg.why.txt"] == b"a.jpg could not be filed under a class.\ncorrupt: torn\n"


def test_a_batch_is_settled_photo_by_photo(tmp_path: Path) -> None:
    inbox, red = tmp_path / "inbox", tmp_path / "red"
    inbox.mkdir()
    red.mkdir()
    with opened_ledger(tmp_path / "l") as ledger:
        sources = [write(inbox / f"{number}.jpg", PHOTO + bytes([number])) for number in range(4)]
        ledger.intend([intent(source, red / source.name) for source in sources], 1.0)
        for source in sources[:2]:
            source.rename(red / source.name)
        outcomes = reconcile(ledger, 2.0)
    assert list(outcomes.values()) == [Outcome.FILED, Outcome.FILED, None, None]
    assert set(tree(inbox)) == {"2.jpg", "3.jpg"}
    assert set(tree(red)) == {"0.jpg", "1.jpg"}


RECONCILE = """
from daemon.ledger.ledger import Ledger
from daemon.filing.recovery import reconcile
from daemon.ledger.movers import Mover
from daemon.roots import state_folder
left = []
told = reconcile(Ledger(Path({!r})), 2.0, lambda *what: left.append(what))
print(len(told), [(row, intent.source.name, error.strerror) for row, intent, error in left])
"""


@pytest.mark.parametrize(("there", "outcome"), [(PHOTO, Outcome.FAILED), (bytes(len(PHOTO)), None)])
def test_a_photo_too_large_to_have_a_hash_is_compared_with_its_copy(
    tmp_path: Path, there: bytes, outcome: Outcome | None
) -> None:
    source, target = write(tmp_path / "a.tif", PHOTO), tmp_path / "b.tif"
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([intent(source, target, sha256="", becomes=Outcome.FAILED)], 1.0)
        published_by_a_link(source, target)
        mtime_ns = source.stat().st_mtime_ns
        os.utime(write(target, there), ns=(mtime_ns, mtime_ns))
        assert reconcile(ledger, 2.0) == {source: outcome}
    assert source.exists() == (outcome is None)
    assert target.read_bytes() == there


def test_a_place_that_cannot_be_looked_at_is_not_an_empty_place(stranger: Stranger) -> None:
    """An intent is kept until both its places can be seen: what is hidden for now is not gone."""
    inbox, red, path = stranger.folder / "inbox", stranger.folder / "output" / "red", stranger.folder / "l"
    inbox.mkdir()
    red.mkdir(parents=True)
    source = write(inbox / "a.jpg", PHOTO)
    with opened_ledger(path) as ledger:
        ledger.intend([intent(source, red / "a.jpg")], 1.0)
    source.rename(red / "a.jpg")
    red.chmod(0)
    done = stranger.python(RECONCILE.format(str(path)))
    red.chmod(0o755)
    assert done.stdout == "0 [(1, 'a.jpg', 'Permission denied')]\n", done.stderr
    with opened_ledger(path) as ledger:
        assert reconcile(ledger, 3.0) == {source: Outcome.FILED}


def test_an_original_that_cannot_be_removed_yet_is_not_filed_a_second_time(stranger: Stranger) -> None:
    inbox, red, path = stranger.folder / "inbox", stranger.folder / "red", stranger.folder / "l"
    inbox.mkdir()
    red.mkdir()
    source, target = write(inbox / "a.jpg", PHOTO), red / "a.jpg"
    with opened_ledger(path) as ledger:
        ledger.intend([intent(source, target)], 1.0)
    published_by_a_link(source, target)
    inbox.chmod(0o555)
    done = stranger.python(RECONCILE.format(str(path)))
    assert done.stdout == "0 [(1, 'a.jpg', 'Permission denied')]\n", done.stderr
    inbox.chmod(0o755)
    with opened_ledger(path) as ledger:
        assert reconcile(ledger, 3.0) == {source: Outcome.FILED}
    assert tree(inbox) == {}


def test_an_intent_with_an_identity_of_no_file_is_forgotten(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jpg", PHOTO)
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([intent(source, tmp_path / "red" / "a.jpg", identity=Identity(1, 2, 3, 4))], 1.0)
        assert reconcile(ledger, 2.0) == {source: None}
    assert tree(tmp_path) | {"l": b""} == {"a.jpg": PHOTO, "l": b""}


def test_a_place_that_cannot_be_looked_at_holds_up_its_own_photo_alone(tmp_path: Path) -> None:
    source, other, blue = write(tmp_path / "a.jpg", PHOTO), write(tmp_path / "b.jpg", OTHER), tmp_path / "blue"
    (tmp_path / "red").symlink_to("red")  # a look through it fails, also for root
    blue.mkdir()
    unseen: list[tuple[int, int | None]] = []
    with opened_ledger(tmp_path / "l") as ledger:
        intents = [intent(source, tmp_path / "red" / "a.jpg"), intent(other, blue / "b.jpg")]
        first, second = ledger.intend(intents, 1.0)
        other.rename(blue / "b.jpg")
        told = reconcile(ledger, 2.0, lambda row, _, error: unseen.append((row, error.errno)))
        assert told == {other: Outcome.FILED}
        assert list(ledger.open_intents(Mover.DAEMON)) == [first]
    assert (unseen, second) == ([(first, errno.ELOOP)], first + 1)


@pytest.mark.parametrize(
    "place", [Path("red", "x" * 252 + ".jpg"), Path(*(["d" * 200] * 25), "a.jpg")], ids=["long name", "long path"]
)
def test_a_name_that_no_file_can_have_was_never_published(tmp_path: Path, place: Path) -> None:
    """Earlier versions wrote such intents, and no later start came past them."""
    source = write(tmp_path / "a.jpg", PHOTO)
    (tmp_path / "red").mkdir()
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([intent(source, tmp_path / place)], 1.0)
        assert reconcile(ledger, 2.0) == {source: None}
        assert ledger.open_intents(Mover.DAEMON) == {}
    assert source.read_bytes() == PHOTO


def test_a_daemon_starts_whatever_it_cannot_see_and_files_what_else_there_is(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    options = ("--inbox", inbox, "--output", output, "--model", model_file(tmp_path))
    assert run("sort", *options).returncode == 0  # which makes the ledger
    (output / "red").mkdir()
    (output / "red" / "loop").symlink_to("loop")
    source = write(inbox / "a.jpg", PHOTO)
    with opened_ledger(state_folder(inbox) / "ledger.sqlite") as ledger:
        ledger.intend([intent(source, output / "red" / "loop" / "a.jpg")], 1.0)
    with daemon(*options) as one:
        one.ready()
        write(tmp_path / "b.jpg", OTHER).rename(inbox / "b.jpg")
        one.until(
            lambda event: event.get("outcome") == "filed" and event["path"].endswith("b.jpg"), "the other's filing"
        )
        assert tree(inbox) == {"a.jpg": PHOTO}
        (output / "red" / "loop").unlink()
        one.until(lambda event: event.get("outcome") == "filed" and event["path"].endswith("a.jpg"), "its filing")
        assert one.stop() == 0
    (said,) = [line for line in one.errors if "cannot be checked now" in line]
    assert "1 of its files" in said
    assert "Too many levels of symbolic links" in said
    assert tree(output) == {"red/a.jpg": PHOTO, "green/b.jpg": OTHER}
    with opened_ledger(state_folder(inbox) / "ledger.sqlite") as ledger:
        assert ledger.open_intents(Mover.DAEMON) == {}

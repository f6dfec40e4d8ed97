"""After a kill at any point every photo is in one place, and the ledger says which."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.filing import temporary_beside
from daemon.photo import Identity, Outcome
from daemon.recovery import reconcile
from tests.daemon.conftest import Stranger
from tests.daemon.support import identity_of, intent, opened_ledger, plain, tree, write

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


def copied_not_published(source: Path, target: Path) -> None:
    temporary_beside(target, source, identity_of(source)).write_bytes(PHOTO)


def published_not_removed(source: Path, target: Path) -> None:
    target.write_bytes(PHOTO)


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


IN, OUT = "inbox/a.jpg", "red/a.jpg"


@pytest.mark.parametrize("across", [False, True], ids=["one file system", "two file systems"])
@pytest.mark.parametrize(
    ("crash", "after", "outcome"),
    [
        (before_the_rename, {IN: PHOTO}, None),
        (before_the_rename_with_a_stranger_at_the_target, {IN: PHOTO, OUT: OTHER}, None),
        (with_a_stranger_of_equal_size, {IN: PHOTO, OUT: bytes(reversed(PHOTO))}, None),
        (after_the_rename, {OUT: PHOTO}, Outcome.FILED),
        (between_link_and_unlink, {OUT: PHOTO}, Outcome.FILED),
        (name_reserved, {IN: PHOTO, OUT: b""}, None),
        (copy_half_done, {IN: PHOTO}, None),
        (copied_not_published, {IN: PHOTO}, None),
        (published_not_removed, {OUT: PHOTO}, Outcome.FILED),
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
    if across and crash in (after_the_rename, between_link_and_unlink, renamed_and_a_new_file_under_the_old_name):
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
        assert ledger.open_intents() == {}
        states = ledger._connection.execute("SELECT state, concluded_at FROM photos").fetchall()
        assert states == ([(outcome.value, 2.0)] if outcome else [])
        assert reconcile(ledger, 3.0) == {}


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
from daemon.ledger import Ledger
from daemon.recovery import reconcile
reconcile(Ledger(Path({!r})), 2.0)
"""


@pytest.mark.parametrize(("there", "outcome"), [(PHOTO, Outcome.FAILED), (bytes(len(PHOTO)), None)])
def test_a_photo_too_large_to_have_a_hash_is_compared_with_its_copy(
    tmp_path: Path, there: bytes, outcome: Outcome | None
) -> None:
    source, target = write(tmp_path / "a.tif", PHOTO), write(tmp_path / "b.tif", there)
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([intent(source, target, sha256="", becomes=Outcome.FAILED)], 1.0)
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
    assert "RecoveryError: The last run was cut off while it moved" in done.stderr
    assert "Make both folders readable and writable, then start again" in done.stderr
    with opened_ledger(path) as ledger:
        assert reconcile(ledger, 3.0) == {source: Outcome.FILED}


def test_an_original_that_cannot_be_removed_yet_is_not_filed_a_second_time(stranger: Stranger) -> None:
    inbox, red, path = stranger.folder / "inbox", stranger.folder / "red", stranger.folder / "l"
    inbox.mkdir()
    red.mkdir()
    source, target = write(inbox / "a.jpg", PHOTO), red / "a.jpg"
    with opened_ledger(path) as ledger:
        ledger.intend([intent(source, target)], 1.0)
    published_not_removed(source, target)
    inbox.chmod(0o555)
    assert "RecoveryError" in stranger.python(RECONCILE.format(str(path))).stderr
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

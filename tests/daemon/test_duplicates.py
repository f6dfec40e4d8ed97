"""With `--duplicates set-aside` a photo of equal content goes to `_duplicates`, while the first one is still there."""

import os
from pathlib import Path

import pytest

from common.errors import Reason
from daemon.filing.filer import Filer
from daemon.photo import Mode, Outcome, Photo
from tests.daemon.house import place_row
from tests.daemon.support import faulty, opened_filer, opened_ledger, plain, roots, scored, tree, write


def filed(tmp_path: Path, *batches: list[str], set_aside: bool = True, mode: Mode = Mode.MOVE) -> list[Photo]:
    """File batches of photos of equal content, one after the other; returns all."""
    inbox, output = tmp_path / "inbox", tmp_path / "output"
    if not inbox.exists():
        roots(tmp_path)
    photos = []
    with opened_filer(output, tmp_path / "l", set_aside=set_aside, mode=mode) as filer:
        for batch in batches:
            some = [scored(write(inbox / name, plain("red"))) for name in batch]
            filer.file(some)
            photos += some
    return photos


@pytest.mark.parametrize("batches", [[["a.jpg", "b.jpg", "c.jpg"]], [["a.jpg"], ["b.jpg", "c.jpg"]]])
def test_the_second_of_equal_photos_is_set_aside(tmp_path: Path, batches: list[list[str]]) -> None:
    photos = filed(tmp_path, *batches)
    assert [photo.filing.outcome for photo in photos] == [Outcome.FILED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert sorted(tree(tmp_path / "output")) == ["_duplicates/b.jpg", "_duplicates/c.jpg", "red/a.jpg"]
    assert photos[1].filing.reason == "the same photo is filed as red/a.jpg"
    assert tree(tmp_path / "inbox") == {}


def test_by_default_both_are_filed(tmp_path: Path) -> None:
    filed(tmp_path, ["a.jpg"], ["a.jpg"], set_aside=False)
    assert sorted(tree(tmp_path / "output")) == ["red/a-1.jpg", "red/a.jpg"]


@pytest.mark.parametrize("change", ["moved on", "edited", "edited to equal length"])
def test_a_photo_whose_first_copy_is_no_longer_there_is_filed(tmp_path: Path, change: str) -> None:
    filed(tmp_path, ["a.jpg"])
    first = tmp_path / "output" / "red" / "a.jpg"
    if change == "moved on":
        first.rename(tmp_path / "kept.jpg")
    else:
        first.write_bytes(b"edited" if change == "edited" else bytes(len(plain("red"))))
    (photo,) = filed(tmp_path, ["b.jpg"])
    assert photo.filing.outcome is Outcome.FILED
    assert tree(tmp_path / "output")["red/b.jpg"] == plain("red")


def test_a_photo_that_its_owner_moved_to_another_class_counts_as_there(tmp_path: Path) -> None:
    filed(tmp_path, ["a.jpg"])
    output = tmp_path / "output"
    (output / "blue").mkdir()
    now = (output / "red" / "a.jpg").rename(output / "blue" / "renamed.jpg")
    with opened_ledger(tmp_path / "l") as ledger:
        place_row(ledger._connection, output, output / "red" / "a.jpg", now, "blue")
        ledger._connection.execute("INSERT INTO roots VALUES ('output', ?, '1', x'2f')", (os.fsencode(output),))
    (again,) = filed(tmp_path, ["b.jpg"])
    assert again.filing.outcome is Outcome.DUPLICATE
    assert again.filing.reason == "the same photo is filed as blue/renamed.jpg"


def test_the_one_whose_name_was_taken_is_not_the_duplicate_of_itself(tmp_path: Path) -> None:
    filed(tmp_path, ["a.jpg"])
    (again,) = filed(tmp_path, ["a.jpg"])
    assert again.filing.outcome is Outcome.DUPLICATE
    (third,) = filed(tmp_path, ["a.jpg"])
    assert third.filing.destination == tmp_path / "output" / "_duplicates" / "a-1.jpg"


def test_copies_are_set_aside_too_and_their_originals_stay(tmp_path: Path) -> None:
    photos = filed(tmp_path, ["a.jpg", "b.jpg"], mode=Mode.COPY)
    assert [photo.filing.outcome for photo in photos] == [Outcome.FILED, Outcome.DUPLICATE]
    assert sorted(tree(tmp_path / "output")) == ["_duplicates/b.jpg", "red/a.jpg"]
    assert sorted(tree(tmp_path / "inbox")) == ["a.jpg", "b.jpg"]


def test_all_duplicates_of_a_batch_take_two_rounds_and_photos_that_failed_or_wait_take_one(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(20)]
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l", set_aside=True) as filer:
        photos = [scored(write(inbox / name, plain("red"))) for name in names]
        filer.file(photos)
        outcomes = [photo.filing.outcome for photo in photos]
        assert sorted(outcomes) == [*(19 * [Outcome.DUPLICATE]), Outcome.FILED]
        assert _commits(filer) == 2
        broken = [faulty(write(inbox / name, b"no picture"), Reason.CORRUPT) for name in names]
        filer.file(broken)
        assert {photo.filing.outcome for photo in broken} == {Outcome.FAILED}
        assert _commits(filer) == 3


def _commits(filer: Filer) -> int:
    (last,) = filer._ledger._connection.execute("SELECT max(batch) FROM photos").fetchone()
    return int(last)

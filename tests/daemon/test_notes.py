"""What is in the decoder is written down before it goes in, and read by the process that comes after a death."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from daemon.decode.suspects import CrashJournal
from tests.daemon.support import write

RAW = os.fsdecode(b"caf\xe9.jpg")


def died(notes: Path, *begun: Path) -> None:
    """Begin photos and end without a word, as a process does that is killed."""
    dead = CrashJournal(notes)
    for path in begun:
        dead.begin(path, here=True)
    dead.close()


def test_only_those_in_the_decoder_are_suspects_and_each_death_counts(tmp_path: Path) -> None:
    notes = tmp_path / "decoding"
    through, raw, other = (write(tmp_path / name, b"x") for name in ("through.jpg", RAW, "other.jpg"))
    first = CrashJournal(notes)
    first.begin(through, here=True)
    first.begin(raw, here=True)
    first.end(through, cleared=True)
    first.begin(other, here=False)
    first.close()
    for deaths in (1, 2):
        with closing(CrashJournal(notes)) as after:
            assert [after.deaths(path) for path in (through, raw, other)] == [0, deaths, 1]
        died(notes, raw)
    with closing(CrashJournal(notes)) as after:
        after.begin(raw, here=False)
        after.end(raw, cleared=True)
        assert after.deaths(raw) == 0
    with closing(CrashJournal(notes)) as last:
        assert [last.deaths(path) for path in (through, raw, other)] == [0, 0, 1]


def test_a_suspect_stays_one_until_it_is_cleared_or_gone(tmp_path: Path) -> None:
    notes, photo = tmp_path / "decoding", write(tmp_path / "a.jpg", b"x")
    died(notes, photo)
    for _ in range(2):  # not tried, and tried without a result
        with closing(CrashJournal(notes)) as after:
            assert after.deaths(photo) == 1
            after.begin(photo, here=False)
            after.end(photo, cleared=False)
    photo.unlink()
    with closing(CrashJournal(notes)) as after:
        assert after.deaths(photo) == 0


def test_the_file_does_not_grow_with_the_photos_and_takes_the_longest_path(tmp_path: Path) -> None:
    notes = tmp_path / "decoding"
    long = tmp_path / "/".join(["é" * 100] * 19)  # most of the 4,096 bytes that a path may have
    with closing(CrashJournal(notes)) as one:
        for _ in range(100):
            one.begin(long, here=True)
            one.begin(tmp_path, here=True)
            one.end(long, cleared=True)
            one.end(tmp_path, cleared=True)
        assert notes.stat().st_size < 4 * 8192
    died(notes, tmp_path, long)
    os.truncate(notes, notes.stat().st_size + 3)
    with closing(CrashJournal(notes)) as after:
        assert after.deaths(tmp_path) == 1


def test_who_is_in_the_decoder_of_this_process_can_be_asked(tmp_path: Path) -> None:
    with closing(CrashJournal(tmp_path / "decoding")) as notes:
        assert notes.longest() is None
        notes.begin(tmp_path / "child's", here=False)
        assert notes.longest() is None
        for name in ("first", "second"):
            notes.begin(tmp_path / name, here=True)
        longest = notes.longest()
        assert longest is not None
        assert longest[0].name == "first"
        assert 0 <= longest[1] < 60


def test_a_note_is_not_wiped_with_that_of_the_photo_that_left_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, leaves, comes = (write(tmp_path / name, b"") for name in ("decoding", "leaves.jpg", "comes.jpg"))
    real = CrashJournal._erase

    def meanwhile(self: CrashJournal, slot: int) -> None:
        monkeypatch.undo()
        self.begin(comes, here=True)  # as another thread does
        real(self, slot)

    with closing(CrashJournal(notes)) as one:
        one.begin(leaves, here=True)
        monkeypatch.setattr(CrashJournal, "_erase", meanwhile)
        one.end(leaves, cleared=True)
    with closing(CrashJournal(notes)) as after:
        assert (after.deaths(leaves), after.deaths(comes)) == (0, 1)

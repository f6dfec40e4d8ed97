"""A batch is judged, moved and recorded; whatever is in the way of one photo, the others go on and nothing is lost."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.errors import Reason
from daemon.files.marker import OUTPUT_AWAY
from daemon.filing import failure_note as why
from daemon.filing import move as filing
from daemon.filing.filer import Filer
from daemon.filing.transfers import Transfers
from daemon.intake.walk import MARKER
from daemon.ledger.intent import Intent
from daemon.ledger.ledger import Ledger
from daemon.photo import Outcome, Photo
from tests.colour_model import LABELS
from tests.daemon.support import (
    HandClock,
    faulty,
    judged,
    opened_filer,
    opened_ledger,
    photo_of,
    plain,
    roots,
    scored,
    tree,
    unique,
    write,
)


def states(path: Path) -> list[tuple[str, str]]:
    with opened_ledger(path) as ledger:
        rows = ledger._connection.execute("SELECT destination, state FROM photos ORDER BY id").fetchall()
    return [(Path(name.decode()).name, state) for name, state in rows]


def test_a_batch_goes_to_its_classes_and_the_ledger_says_so(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    photos = [scored(write(inbox / f"{colour}.jpg", plain(colour)), colour) for colour in LABELS]
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file(photos)
    assert [photo.filing.outcome for photo in photos] == [Outcome.FILED] * 3
    assert [photo.filing.destination for photo in photos] == [output / colour / f"{colour}.jpg" for colour in LABELS]
    assert tree(output) == {f"{colour}/{colour}.jpg": plain(colour) for colour in LABELS}
    assert tree(inbox) == {}
    assert states(tmp_path / "l") == [(f"{colour}.jpg", "filed") for colour in LABELS]


def test_photos_of_one_name_in_one_batch_and_later_each_keep_a_place(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with opened_filer(output, tmp_path / "l") as filer:
        for number in range(3):
            folder = inbox / str(number)
            folder.mkdir()
            write(output / "red" / "a-2.jpg", b"somebody else's") if number == 1 else None
            same = [write(folder / "a.jpg", unique("red", number)), write(inbox / "b.jpg", unique("red", 9 + number))]
            filer.file([scored(path) for path in same])
    assert sorted(tree(output)) == [
        f"red/{name}" for name in ("a-1.jpg", "a-2.jpg", "a-3.jpg", "a.jpg", "b-1.jpg", "b-2.jpg", "b.jpg")
    ]
    assert tree(output)["red/a-2.jpg"] == b"somebody else's"
    assert {tree(output)[f"red/{name}"] for name in ("a.jpg", "a-1.jpg", "a-3.jpg")} == {
        unique("red", n) for n in range(3)
    }


def test_a_name_that_is_taken_at_the_last_moment_gets_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, output = roots(tmp_path)
    real = Ledger.intend

    def meddling(self: Ledger, *arguments: object) -> list[int]:
        """Let somebody take the planned name after it was written down, twice."""
        (red := output / "red").mkdir(exist_ok=True)
        free = next(name for name in ("a.jpg", "a-1.jpg", "a-2.jpg") if not (red / name).exists())
        if free != "a-2.jpg":
            write(red / free, b"theirs")
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "intend", meddling)
    photo = scored(write(inbox / "a.jpg", plain("red")))
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([photo])
    assert photo.filing.outcome is Outcome.FILED
    assert tree(output) == {"red/a.jpg": b"theirs", "red/a-1.jpg": b"theirs", "red/a-2.jpg": plain("red")}
    assert states(tmp_path / "l") == [("a-2.jpg", "filed")]


def test_a_failed_photo_lies_beside_its_reason(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    longest = "é" * 125 + ".jpg"
    photos = [faulty(write(inbox / name, b"x"), Reason.CORRUPT) for name in ("a\x1b[2J.jpg", longest)]
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file(photos)
    failed = tree(output / "_failed")
    assert len(failed) == 4
    note = failed["a\x1b[2J.jpg.why.txt"].decode()
    assert note == "a\\x1b[2J.jpg could not be filed under a class.\ncorrupt: the cause\n"
    assert failed[longest] == b"x"
    assert [photo.filing.outcome for photo in photos] == [Outcome.FAILED] * 2
    assert [state for _, state in states(tmp_path / "l")] == ["failed"] * 2


def test_the_unsure_go_to_review_by_the_threshold_of_their_class(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    thresholds = {"red": 0.99, "green": 0.9, "blue": 0.0}
    paths = {colour: write(inbox / f"{colour}.jpg", plain(colour)) for colour in ("red", "green")}
    photos = [scored(path, colour, thresholds=thresholds) for colour, path in paths.items()]
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file(photos)
    assert sorted(tree(output)) == ["_review/red.jpg", "green/green.jpg"]
    assert photos[0].filing.reason == "unsure: red 0.98 is below 0.99"


@pytest.mark.parametrize(
    ("reason", "unchanged_s", "outcome"),
    [
        (Reason.FOREIGN, 1e6, Outcome.LEFT), (Reason.UNSUPPORTED, 1e6, Outcome.LEFT),
        (Reason.CHANGED, 1e6, Outcome.GONE),
        (Reason.TRUNCATED, 10.0, Outcome.AGAIN), (Reason.UNREADABLE, 1e6, Outcome.AGAIN),
    ],
)  # fmt: skip
def test_what_is_not_to_be_moved_stays_and_leaves_no_row(
    tmp_path: Path, reason: Reason, unchanged_s: float, outcome: Outcome
) -> None:
    inbox, output = roots(tmp_path)
    photo = faulty(write(inbox / "a.jpg", b"x"), reason, unchanged_s=unchanged_s)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([photo])
    assert photo.filing.outcome is outcome
    assert (tree(inbox), tree(output), states(tmp_path / "l")) == ({"a.jpg": b"x"}, {}, [])


def test_a_photo_that_may_be_growing_is_due_again_when_its_time_is_up_and_one_without_permission_ever_more_rarely(
    tmp_path: Path,
) -> None:
    inbox, output = roots(tmp_path)
    growing = faulty(write(inbox / "a.jpg", b"x"), Reason.TRUNCATED, unchanged_s=57.5)
    locked = faulty(write(inbox / "b.jpg", b"x"), Reason.UNREADABLE, unchanged_s=0.0)
    locked.found = replace(locked.found, waited_s=3600.0)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([growing, locked])
    assert growing.judgement.again_within_s == 2.5
    assert locked.judgement.again_within_s == float("inf")


def test_a_photo_that_changed_after_it_was_classified_stays_in_the_inbox(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    photos = [scored(write(inbox / f"{number}.jpg", plain("red"))) for number in range(3)]
    write(inbox / "0.jpg", b"newer")
    (inbox / "1.jpg").unlink()
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file(photos)
    assert [photo.filing.outcome for photo in photos] == [Outcome.GONE, Outcome.GONE, Outcome.FILED]
    assert (tree(inbox), tree(output)) == ({"0.jpg": b"newer"}, {"red/2.jpg": plain("red")})
    assert states(tmp_path / "l") == [("2.jpg", "filed")]


def test_without_the_outputs_marker_nothing_is_filed_and_with_it_again_everything(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    (output / MARKER).rename(tmp_path / "away")
    photo = scored(write(inbox / "a.jpg", plain("red")))
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([photo])
        assert (photo.filing.outcome, photo.filing.reason, photo.filing.destination) == (
            Outcome.AGAIN,
            OUTPUT_AWAY,
            None,
        )
        assert tree(output) == {}
        (tmp_path / "away").rename(output / MARKER)
        filer.file([photo])
    assert photo.filing.outcome is Outcome.FILED


def test_a_file_where_a_class_folder_should_be_holds_up_its_class_alone(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    write(output / "red", b"a file")
    photos = [scored(write(inbox / f"{colour}.jpg", plain(colour)), colour) for colour in ("red", "blue")]
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file(photos)
    assert [photo.filing.outcome for photo in photos] == [Outcome.AGAIN, Outcome.FILED]
    assert "cannot be used (File exists)" in photos[0].filing.reason
    assert tree(inbox) == {"red.jpg": plain("red")}


@pytest.mark.parametrize("gone", ["photo", "class folder"])
def test_what_its_owner_takes_away_at_once_does_not_hold_up_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    inbox, output = roots(tmp_path)
    real = Transfers._transfer

    def taken_away(self: Transfers, photo: Photo, row: int, intent: Intent) -> None:
        real(self, photo, row, intent)
        if photo.path.name == "0.jpg":
            shutil.rmtree(output / "red") if gone == "class folder" else (output / "red" / "0.jpg").unlink()

    monkeypatch.setattr(Transfers, "_transfer", taken_away)
    photos = [scored(write(inbox / f"{number}.jpg", plain("red"))) for number in range(3)]
    with opened_filer(output, tmp_path / "l") as filer:
        for photo in photos:
            filer.file([photo])
    assert [(photo.filing.outcome, photo.filing.reason) for photo in photos] == [(Outcome.FILED, "")] * 3
    assert sorted(tree(output)) == ["red/1.jpg", "red/2.jpg"]
    assert [state for _, state in states(tmp_path / "l")] == ["filed"] * 3


def test_a_ledger_that_cannot_be_written_moves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    photo = scored(write(inbox / "a.jpg", plain("red")))
    with opened_ledger(tmp_path / "l") as ledger:
        filer = Filer(output, ledger, HandClock())  # type: ignore[arg-type]
        ledger._connection.execute("PRAGMA busy_timeout = 1")
        other = sqlite3.connect(tmp_path / "l", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        filer.file([photo])
        assert photo.filing.outcome is Outcome.AGAIN
        assert "the ledger cannot be written" in photo.filing.reason
        assert tree(inbox) == {"a.jpg": plain("red")}
        other.execute("ROLLBACK")
        other.close()
        filer.file([photo])
    assert states(tmp_path / "l") == [("a.jpg", "filed")]


def test_outcomes_that_could_not_be_written_are_written_with_the_next_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, output = roots(tmp_path)
    photos = [scored(write(inbox / f"{number}.jpg", plain("red"))) for number in range(2)]
    with opened_filer(output, tmp_path / "l") as filer:
        with monkeypatch.context() as broken:

            def full(*_: object) -> None:
                raise sqlite3.OperationalError("database or disk is full")

            broken.setattr(Ledger, "conclude", full)
            filer.file(photos[:1])
        assert photos[0].filing.outcome is Outcome.FILED
        assert "a power cut may still lose it" in photos[0].filing.reason
        filer.file(photos[1:])
    assert states(tmp_path / "l") == [("0.jpg", "filed"), ("1.jpg", "filed")]


def test_a_photo_that_was_not_read_because_of_a_stop_stays(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    path = write(inbox / "a.jpg", plain("red"))
    photo = photo_of(path)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([photo])
    assert (photo.filing.outcome, photo.filing.reason) == (Outcome.AGAIN, "the daemon was stopped first")
    assert tree(inbox) == {"a.jpg": plain("red")}


def test_the_five_most_probable_classes_are_recorded(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    labels = tuple("abcdefg")
    scores = np.array([0.1, 0.3, 0.05, 0.25, 0.2, 0.06, 0.04], np.float32)
    photo = photo_of(write(inbox / "a.jpg", plain("red")))
    with opened_ledger(tmp_path / "l") as ledger:
        filer = Filer(output, ledger, HandClock())  # type: ignore[arg-type]
        filer.file([judged(photo, scores, labels=labels, thresholds=dict.fromkeys(labels, 0.0))])
        (top,) = ledger._connection.execute("SELECT top FROM photos").fetchone()
    assert top == '{"b": 0.3, "d": 0.25, "e": 0.2, "a": 0.1, "f": 0.06}'


def always(code: int, calls: list[Path]) -> Callable[..., None]:
    def fails(source: Path, target: Path) -> None:
        calls.append(target)
        raise OSError(code, os.strerror(code))

    return fails


@pytest.mark.parametrize(
    ("code", "tried"),
    [
        (errno.EEXIST, ["a é.jpg", *(f"a é-{number}.jpg" for number in range(1, 5))]),
        (errno.EINVAL, ["a é.jpg", "a é.jpg", "a _.jpg"]),
        (errno.EIO, ["a é.jpg"]),
    ],
)
def test_a_name_that_is_refused_whatever_it_is_lets_its_photo_wait_after_a_few_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, tried: list[str]
) -> None:
    """Some servers call a name taken of which a look says that it is free, and do so for ever."""
    inbox, output = roots(tmp_path)
    photo, calls = scored(write(inbox / "a é.jpg", plain("red"))), list[Path]()
    with opened_filer(output, tmp_path / "l") as filer:
        with monkeypatch.context() as refusing:
            refusing.setattr(filing, "rename_noreplace", always(code, calls))
            filer.file([photo])
        assert [path.name for path in calls] == tried
        assert (photo.filing.outcome, photo.filing.destination) == (Outcome.AGAIN, None)
        assert "it cannot be moved to" in photo.filing.reason
        assert tree(inbox) == {"a é.jpg": plain("red")}
        filer.file([scored(inbox / "a é.jpg")])
    assert tree(output) == {"red/a é.jpg": plain("red")}
    assert states(tmp_path / "l") == [("a é.jpg", "filed")]


def test_what_cannot_be_put_back_under_any_name_and_a_note_without_a_name_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, output = roots(tmp_path)
    calls: list[Path] = []
    monkeypatch.setattr(why, "rename_noreplace", always(errno.EEXIST, calls))
    photo = faulty(write(inbox / "a.jpg", b"x"), Reason.CORRUPT)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([photo])
    assert photo.filing.outcome is Outcome.FAILED
    assert photo.filing.reason.endswith("(and no note could be written: File exists)")
    assert [path.name for path in calls] == ["a.jpg.why.txt", *(f"a.jpg.why-{number}.txt" for number in range(1, 5))]
    assert tree(output) == {"_failed/a.jpg": b"x"}
    monkeypatch.setattr(filing, "rename_noreplace", always(errno.EEXIST, calls))
    with pytest.raises(OSError, match="no free name was found to put it back"):
        filing._put_back(output / "_failed" / "a.jpg", inbox / "a.jpg")
    assert [path.name for path in calls[5:]] == ["a.jpg", *(f"a-{number}.jpg" for number in range(1, 5))]

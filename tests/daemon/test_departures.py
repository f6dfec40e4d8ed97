"""An original that was copied elsewhere and may still be written to goes after a minute, or comes back whole."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.filing.departures import GREW, LOOK_S, Departures
from daemon.filing.move import temporary_beside
from daemon.filing.recovery import reconcile
from daemon.ledger.leaving import ENDING, WAIT_S, hidden_original
from daemon.ledger.ledger import Ledger
from daemon.ledger.movers import Mover
from daemon.photo import Outcome
from tests.daemon.support import (
    HandClock,
    companion,
    digest,
    identity_of,
    intent,
    opened_filer,
    opened_ledger,
    plain,
    roots,
    scored,
    tree,
    write,
)

PHOTO, OTHER, LATE = plain("red"), plain("green"), b"the film behind it"


@pytest.fixture(autouse=True)
def unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel answers nothing, as about other people's files."""
    monkeypatch.setattr("daemon.files.open_writers.is_open_for_writing", lambda _: None)


class House:
    """An inbox, and an output on another file system."""

    def __init__(self, folder: Path, elsewhere: Path) -> None:
        self.inbox, _ = roots(folder)
        self.output, self.ledger, self.clock = elsewhere, folder / "l", HandClock()
        (elsewhere / ".phototriage").write_text('{"id": "1"}')
        self.said: list[str] = []
        self.back: list[Path] = []

    def file(self, name: str = "a.jpg", data: bytes = PHOTO, outcome: Outcome = Outcome.FILED) -> Path:
        """File a photo; returns the hidden name of its original."""
        path = write(self.inbox / name, data, mtime_s=1_500_000_000.5)
        hidden = hidden_original(path, identity_of(path))
        with opened_filer(self.output, self.ledger, self.clock) as filer:
            photo = scored(path)
            filer.file([photo])
            assert photo.filing.outcome is outcome
        return hidden

    def file_with_companion(self) -> Path:
        """File a photo and a companion; returns the hidden name of the companion's original."""
        path, part = (write(self.inbox / name, PHOTO, mtime_s=1_500_000_000.5) for name in ("a.jpg", "a.xmp"))
        hidden = hidden_original(part, identity_of(part))
        with opened_filer(self.output, self.ledger, self.clock) as filer:
            filer.file([companion(part), scored(path)])
        return hidden

    def look(self, turn_s: float = WAIT_S + LOOK_S) -> None:
        self.clock.turn(turn_s)
        self.departures().look()

    def departures(self) -> Departures:
        return Departures(self.ledger, self.clock, self.back.append, self.said.append)  # type: ignore[arg-type]

    def states(self) -> list[str]:
        with opened_ledger(self.ledger) as ledger:
            return [state for (state,) in ledger._connection.execute("SELECT state FROM photos ORDER BY id")]

    def waiting(self) -> int:
        with opened_ledger(self.ledger) as ledger:
            (count,) = ledger._connection.execute("SELECT count(*) FROM leaving").fetchone()
        return int(count)


@pytest.fixture
def house(tmp_path: Path, elsewhere: Path) -> House:
    return House(tmp_path, elsewhere)


def test_an_original_that_rests_goes_after_a_minute(house: House) -> None:
    hidden = house.file()
    assert tree(house.output) == {"red/a.jpg": PHOTO}
    assert tree(house.inbox) == {hidden.name: PHOTO}
    house.look(WAIT_S - 1.0)
    assert tree(house.inbox) == {hidden.name: PHOTO}
    house.look(1.0)
    assert tree(house.inbox) == {}
    assert tree(house.output) == {"red/a.jpg": PHOTO}
    assert (house.states(), house.waiting(), house.back) == (["filed"], 0, [])


def grow(hidden: Path) -> None:
    with hidden.open("ab") as file:
        file.write(LATE)


def write_in_place_under_the_old_time(hidden: Path) -> None:
    status = hidden.stat()
    with hidden.open("r+b") as file:
        file.write(PHOTO[:-4] + b"late")
    os.utime(hidden, ns=(status.st_atime_ns, status.st_mtime_ns))


def write_through_a_mapping(hidden: Path) -> None:
    """As a program does that keeps a file mapped: unseen in memory (tmpfs), or in a page that is not on the disk."""
    write_in_place_under_the_old_time(hidden)
    now_ns = hidden.stat().st_ctime_ns
    with closing(sqlite3.connect(hidden.parents[1] / "l")) as ledger, ledger:
        ledger.execute("UPDATE leaving SET changed_ns = ? WHERE photo = (SELECT max(photo) FROM leaving)", (now_ns,))


@pytest.mark.parametrize("goes_on", [grow, write_in_place_under_the_old_time, write_through_a_mapping])
def test_one_that_is_written_to_comes_back_whole_and_its_early_copy_goes(
    house: House, goes_on: Callable[[Path], None]
) -> None:
    hidden = house.file()
    goes_on(hidden)
    whole = hidden.read_bytes()
    house.look()
    assert tree(house.inbox) == {"a.jpg": whole}
    assert tree(house.output) == {}
    assert house.back == [house.inbox / "a.jpg"]
    assert (house.states(), house.waiting()) == (["gone"], 0)
    assert house.said == [f"a.jpg is in the inbox again: {GREW}"]


def edited(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[::-1])


def replaced(copy: Path) -> None:
    write(copy.with_name("b"), PHOTO).rename(copy)


def moved_on(copy: Path) -> None:
    copy.rename(copy.with_name("kept.jpg"))


@pytest.mark.parametrize("change", [edited, replaced, moved_on])
def test_a_copy_that_its_owner_changed_or_moved_is_left_alone(house: House, change: Callable[[Path], None]) -> None:
    hidden = house.file()
    change(house.output / "red" / "a.jpg")
    kept = tree(house.output)
    grow(hidden)
    house.look()
    assert tree(house.inbox) == {"a.jpg": PHOTO + LATE}
    assert tree(house.output) == kept


def test_a_copy_stays_where_the_original_was_cut_or_replaced(house: House) -> None:
    for name, data in (("cut.jpg", PHOTO[:100]), ("replaced.jpg", OTHER + LATE)):
        hidden = house.file(name)
        if name == "cut.jpg":
            os.truncate(hidden, len(data))
        else:
            write(house.inbox / "b", data).rename(hidden)
        house.look()
        assert tree(house.inbox)[name] == data
        assert tree(house.output)[f"red/{name}"] == PHOTO


def test_a_taken_name_gets_a_number_when_an_original_comes_back(house: House) -> None:
    grow(house.file())
    write(house.inbox / "a.jpg", OTHER)
    house.look()
    assert tree(house.inbox) == {"a.jpg": OTHER, "a-1.jpg": PHOTO + LATE}


def test_one_that_is_known_to_be_held_open_waits_as_long_as_that(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = house.file()
    with monkeypatch.context() as known:
        known.setattr("daemon.files.open_writers.is_open_for_writing", lambda _: True)
        for _ in range(3):
            house.look()
            assert tree(house.inbox) == {hidden.name: PHOTO}
    house.look()
    assert tree(house.inbox) == {}


def test_what_the_kernel_knows_to_be_closed_goes_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.files.open_writers.is_open_for_writing", lambda _: False)
    house.file()
    assert tree(house.inbox) == {}
    assert house.waiting() == 0


def test_while_its_folder_is_away_an_original_stays_and_so_does_its_row(house: House) -> None:
    inner = house.inbox / "card"
    inner.mkdir()
    path = write(inner / "a.jpg", PHOTO)
    with opened_filer(house.output, house.ledger, house.clock) as filer:
        photo = scored(path)
        photo.found = replace(photo.found, relpath=Path("card"))
        filer.file([photo])
    (hidden,) = inner.iterdir()
    inner.rename(house.inbox.with_name("away"))
    house.look()
    assert house.waiting() == 1
    inner.symlink_to(house.inbox.with_name("away"))  # a link is not followed
    house.look()
    assert house.waiting() == 1
    inner.unlink()
    house.inbox.with_name("away").rename(inner)
    assert hidden.exists()
    house.look()
    assert (house.waiting(), tree(house.inbox)) == (0, {})


def test_while_another_folder_stands_where_its_own_was_an_original_waits(house: House) -> None:
    """As under a bind mount that is away, or over the inbox: the same file system, and so the same device."""
    hidden = house.file()
    grow(hidden)
    away = house.inbox.with_name("away")
    house.inbox.rename(away)
    house.inbox.mkdir()
    house.look()
    assert (house.waiting(), tree(house.output)) == (1, {"red/a.jpg": PHOTO})
    house.inbox.rmdir()
    away.rename(house.inbox)
    house.look()
    assert (house.waiting(), tree(house.inbox), tree(house.output)) == (0, {"a.jpg": PHOTO + LATE}, {})


def test_a_row_goes_with_an_original_that_its_owner_took(house: House) -> None:
    house.file().unlink()
    house.look()
    assert house.waiting() == 0


def test_a_companion_that_its_owner_edits_beside_its_photo_is_not_filed_again(house: House) -> None:
    house.file_with_companion()
    write(house.output / "red" / "a.xmp", LATE[::-1])
    house.look()
    assert tree(house.inbox) == {}
    assert tree(house.output) == {"red/a.jpg": PHOTO, "red/a.xmp": LATE[::-1]}


def test_a_companion_that_is_written_through_a_mapping_comes_back(house: House) -> None:
    hidden = house.file_with_companion()
    write_through_a_mapping(hidden)
    whole = hidden.read_bytes()
    house.look()
    assert tree(house.inbox) == {"a.xmp": whole}
    assert tree(house.output) == {"red/a.jpg": PHOTO}


def test_one_look_does_not_take_long(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        house.file(f"{number}.jpg", PHOTO + bytes([number]))

    def slow(path: Path) -> str:
        house.clock.turn(10.0)
        return digest(path.read_bytes())

    monkeypatch.setattr("daemon.filing.original_state.sha256_of", slow)
    house.look()
    assert house.waiting() == 2
    assert house.departures().wait_s() is None
    assert house.waiting() == 0


def test_a_kill_while_one_comes_back_is_made_good_at_any_step(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    for number, step in enumerate(("_remove_copy", "_named_again", "Transaction")):
        name = f"{number}.jpg"
        data = PHOTO + bytes([number])
        grow(house.file(name, data))
        with monkeypatch.context() as dying:
            dying.setattr(f"daemon.filing.departures.{step}", killed)
            with pytest.raises(Killed):
                house.look()
        assert house.states()[-1] == "gone"
        house.look()
        assert tree(house.inbox)[name] == data + LATE
        assert f"red/{name}" not in tree(house.output)
        assert house.waiting() == 0


def test_one_pass_waits_for_what_it_copied_and_not_for_what_was_looked_at_before(house: House) -> None:
    hidden = house.file()
    departures = house.departures()
    assert departures.wait_s() == pytest.approx(WAIT_S)
    (said,) = house.said
    assert said.startswith("a program may still write to 1 original, and the kernel cannot tell")
    house.clock.turn(WAIT_S - 1.0)
    assert departures.wait_s() == pytest.approx(1.0)
    grow(hidden)
    house.clock.turn(1.0)
    assert departures.wait_s() == 0.0  # there is one to file again
    assert house.back == [house.inbox / "a.jpg"]
    assert departures.wait_s() is None
    assert len(house.said) == 2


# What a kill can leave behind before the outcome is in the ledger.

Crash = Callable[[Path, Path], None]


def published(source: Path, target: Path) -> None:
    copy = temporary_beside(target, source, identity_of(source))
    shutil.copy2(source, copy)
    os.link(copy, target)


def hidden_too(source: Path, target: Path) -> None:
    published(source, target)
    source.rename(hidden_original(source, identity_of(source)))


def hidden_and_grown(source: Path, target: Path) -> None:
    hidden = hidden_original(source, identity_of(source))
    hidden_too(source, target)
    grow(hidden)


def hidden_and_the_copy_taken_further(source: Path, target: Path) -> None:
    hidden_too(source, target)
    target.unlink()


def hidden_and_a_new_photo_under_its_name(source: Path, target: Path) -> None:
    hidden_too(source, target)
    write(source, OTHER)


def only_a_part_was_copied(source: Path, target: Path) -> None:
    write(temporary_beside(target, source, identity_of(source)), PHOTO[:100])


@pytest.mark.parametrize(
    ("crash", "inbox"),
    [
        (published, {"a.jpg": PHOTO}),
        (hidden_too, {"a.jpg": PHOTO}),
        (hidden_and_grown, {"a.jpg": PHOTO + LATE}),
        (hidden_and_the_copy_taken_further, {"a.jpg": PHOTO}),
        (hidden_and_a_new_photo_under_its_name, {"a.jpg": OTHER, "a-1.jpg": PHOTO}),
        (only_a_part_was_copied, {"a.jpg": PHOTO}),
    ],
)
def test_after_a_crash_the_original_is_back_and_its_copy_gone(
    house: House, crash: Crash, inbox: dict[str, bytes]
) -> None:
    source, target = write(house.inbox / "a.jpg", PHOTO, mtime_s=1_500_000_000.5), house.output / "red" / "a.jpg"
    target.parent.mkdir()
    with opened_ledger(house.ledger) as ledger:
        ledger.intend([intent(source, target)], 1.0)
        crash(source, target)
        assert reconcile(ledger, 2.0) == {source: None}
        assert ledger.open_intents(Mover.DAEMON) == {}
        assert reconcile(ledger, 3.0) == {}
    assert tree(house.inbox) == inbox
    assert tree(house.output) == {}


def test_a_photo_that_is_undone_meanwhile_is_in_the_inbox_once(house: House) -> None:
    hidden = house.file()
    ledger = Ledger(house.ledger)
    copy = house.output / "red" / "a.jpg"
    with closing(ledger):  # what undo does, to the same names
        back = intent(copy, house.inbox / "a.jpg", becomes=Outcome.UNDONE, undoes=1, held=house.inbox / "a.jpg")
        (row,) = ledger.intend([back], 2.0)
        copy.rename(house.output / "red" / "b.jpg")
        write(house.inbox / "a.jpg", PHOTO)
        (house.output / "red" / "b.jpg").unlink()
        ledger.conclude({row: Outcome.UNDONE}, 2.0)
    house.look()
    assert not hidden.exists()
    assert tree(house.inbox) == {"a.jpg": PHOTO}
    assert house.states() == ["filed", "undone"]
    assert digest(tree(house.inbox)["a.jpg"]) == digest(PHOTO)
    assert ENDING not in "".join(tree(house.inbox))


@pytest.mark.parametrize(
    ("state", "lies_there", "inbox"),
    [
        (Outcome.UNDONE, PHOTO, {"a.jpg": PHOTO + LATE}),
        (Outcome.RETRIED, PHOTO, {"a.jpg": PHOTO + LATE}),
        (Outcome.UNDONE, OTHER, {"a.jpg": OTHER, "a-1.jpg": PHOTO + LATE}),
    ],
)
def test_a_part_that_was_taken_back_meanwhile_goes_when_the_whole_comes(
    house: House, state: Outcome, lies_there: bytes, inbox: dict[str, bytes]
) -> None:
    hidden, back = house.file(), house.inbox / "a.jpg"
    copy = house.output / "red" / "a.jpg"
    with opened_ledger(house.ledger) as ledger:
        (row,) = ledger.intend([intent(copy, back, becomes=state, undoes=1)], 2.0)
        write(back, lies_there)
        copy.unlink()
        grow(hidden)
        house.look()  # it is not known yet where the part lies
        assert (house.waiting(), house.states()) == (1, ["filed", "intent"])
        ledger.conclude({row: state}, 2.0)
    house.look()
    assert (tree(house.inbox), tree(house.output)) == (inbox, {})
    assert (house.waiting(), house.states()) == (0, ["gone", state.value])

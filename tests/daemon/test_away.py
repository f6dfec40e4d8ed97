"""An original that cannot be seen after a crash, or has another name: its move is finished when it is found again."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from daemon.files.statx import times_of
from daemon.filing.filer import Filer
from daemon.filing.move import temporary_beside
from daemon.filing.recovery import reconcile
from daemon.filing.unresolved import UnresolvedMoves
from daemon.intake.filters import PathFilter
from daemon.intake.walk import scan
from daemon.ledger.intent import Intent
from daemon.ledger.ledger import Ledger
from daemon.photo import Mode, Outcome
from tests.daemon.support import (
    HandClock,
    digest,
    identity_of,
    intent,
    model_file,
    opened_ledger,
    plain,
    roots,
    run,
    scored,
    tree,
    write,
)  # fmt: skip

PHOTO = plain("red")
system = pytest.mark.system("mount", "umount", root=True)


def copied(source: Path, target: Path) -> None:
    """Bring both to the state of a kill between the publishing of a copy and the removal of its original."""
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = temporary_beside(target, source, identity_of(source))
    shutil.copy2(source, hidden)
    os.link(hidden, target)


class Card:
    """A file system that is mounted in the inbox, goes, and comes back at any folder with what was in it."""

    def __init__(self, kept: Path, folder: Path) -> None:
        self.kept, self.folder = kept, folder
        kept.mkdir()
        self.come(folder)

    def come(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        subprocess.run(["mount", "--bind", str(self.kept), str(folder)], check=True)

    def go(self) -> None:
        subprocess.run(["umount", str(self.folder)], check=True)


@pytest.fixture(params=["another file system", "a part of the same one"])
def card(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Card]:
    inbox, _ = roots(tmp_path)
    kept = tmp_path / "kept"
    if request.param == "another file system":
        kept = request.getfixturevalue("elsewhere") / "kept"
    there = Card(kept, inbox / "card")
    yield there
    with suppress(subprocess.CalledProcessError):
        there.go()


class Start:
    """A start after the crash: what recovery left open, and a filer."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.folder, self.ledger, self.clock = folder, ledger, HandClock()
        paths = partial(scan, PathFilter(folder / "inbox", recursive=True))
        unresolved = UnresolvedMoves(self.clock, paths)  # type: ignore[arg-type]
        self.told = reconcile(ledger, 2.0, unresolved.add, paths)
        self.filer = Filer(folder / "output", ledger, self.clock, unresolved=unresolved)  # type: ignore[arg-type]

    def file(self, path: Path) -> Outcome:
        photo = scored(path)
        photo.found = replace(photo.found, relpath=path.parent.relative_to(self.folder / "inbox"))
        self.filer.file([photo])
        return photo.filing.outcome

    def states(self) -> list[tuple[str]]:
        return self.ledger._connection.execute("SELECT state FROM photos").fetchall()


def moving(card: Card, source: Path, target: Path, **more: object) -> Intent:
    return intent(source, target, mount=card.folder, **more)


def in_its_place(card: Card) -> None:
    card.come(card.folder)


def elsewhere_in_the_inbox(card: Card) -> None:
    card.come(card.folder.with_name("another reader"))


def with_another_name(card: Card) -> None:
    (card.kept / "a.jpg").rename(card.kept / "renamed.jpg")
    card.come(card.folder)


@system
@pytest.mark.parametrize("back", [in_its_place, elsewhere_in_the_inbox, with_another_name])
def test_what_lies_on_a_mount_that_is_away_stays_open_and_is_not_filed_twice_when_it_is_back(
    tmp_path: Path, card: Card, back: Callable[[Card], None]
) -> None:
    source, target = write(card.folder / "a.jpg", PHOTO, mtime_s=1.5), tmp_path / "output" / "red" / "card" / "a.jpg"
    other = write(tmp_path / "inbox" / "b.jpg", plain("blue"))
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([moving(card, source, target)], 1.0)
        copied(source, target)
        card.go()
        start = Start(tmp_path, ledger)
        assert (start.told, start.states()) == ({}, [("intent",)])
        assert start.file(other) is Outcome.FILED
        back(card)
        (found,) = card.folder.iterdir()
        start.clock.turn(300.0)
        assert start.file(found) is Outcome.GONE
        assert start.states() == [("filed",), ("filed",)]
    assert tree(tmp_path / "output") == {"red/card/a.jpg": PHOTO, "red/b.jpg": plain("blue")}
    assert tree(tmp_path / "inbox") == {}


@system
def test_what_was_not_published_when_its_mount_went_is_filed_once_it_is_back(tmp_path: Path, card: Card) -> None:
    source, target = write(card.folder / "a.jpg", PHOTO, mtime_s=1.5), tmp_path / "output" / "red" / "card" / "a.jpg"
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([moving(card, source, target)], 1.0)
        card.go()
        start = Start(tmp_path, ledger)
        assert (start.told, start.states()) == ({source: None}, [])
        card.come(card.folder)
        assert start.file(source) is Outcome.FILED


@system
def test_another_file_in_the_place_of_one_whose_mount_is_away_is_filed(tmp_path: Path, card: Card) -> None:
    source, target = write(card.folder / "a.jpg", PHOTO, mtime_s=1.5), tmp_path / "output" / "red" / "card" / "a.jpg"
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([moving(card, source, target)], 1.0)
        copied(source, target)
        card.go()
        start = Start(tmp_path, ledger)
        assert start.file(write(source, PHOTO + b"another")) is Outcome.FILED
        source.parent.joinpath("b.jpg").touch()
        card.come(card.folder)
        start.clock.turn(300.0)
        assert start.file(source) is Outcome.GONE
        assert start.states() == [("filed",), ("filed",)]


@system
def test_where_originals_stay_a_mount_that_is_away_leaves_nothing_open(tmp_path: Path, card: Card) -> None:
    source, target = write(card.folder / "a.jpg", PHOTO, mtime_s=1.5), tmp_path / "output" / "red" / "card" / "a.jpg"
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([moving(card, source, target, mode=Mode.COPY, held=source, times=times_of(source))], 1.0)
        copied(source, target)
        card.go()
        assert Start(tmp_path, ledger).told == {source: Outcome.FILED}
        card.come(card.folder)
        assert source.exists()
        assert ledger.known(source, identity_of(source))


@system
def test_a_run_after_the_crash_and_one_with_the_card_back_file_the_photo_once(tmp_path: Path, card: Card) -> None:
    inbox, output, state = tmp_path / "inbox", tmp_path / "output", tmp_path / "state"
    source, target = write(card.folder / "a.jpg", PHOTO, mtime_s=1.5), output / "red" / "card" / "a.jpg"
    words = ("sort", "--inbox", inbox, "--output", output, "--model", model_file(tmp_path), "--recursive")
    env = {"STATE_DIRECTORY": str(state)}
    (output / ".phototriage").unlink()
    state.mkdir()
    with opened_ledger(state / "ledger.sqlite") as ledger:
        ledger.intend([moving(card, source, target)], 1.0)
    copied(source, target)
    card.go()
    first = run(*words, env=env)
    assert first.returncode == 0, first.stderr
    assert f"{card.folder}: nothing is mounted there now. Mount what is missing" in first.stderr
    card.come(card.folder)
    second = run(*words, env=env)
    assert second.returncode == 0, second.stderr
    assert tree(output) == {"red/card/a.jpg": PHOTO}
    assert tree(inbox) == {}


def renamed(source: Path) -> None:
    source.parent.joinpath("sub").mkdir()
    source.rename(source.parent / "sub" / "renamed.jpg")


def renamed_and_edited(source: Path) -> None:
    path = source.rename(source.with_name("renamed.jpg"))
    with path.open("r+b") as file:
        file.write(b"edited")
    os.utime(path, (1.5, 1.5))


def replaced_by_a_twin(source: Path) -> None:
    shutil.copy2(source, source.with_name("twin.jpg"))
    source.unlink()


@pytest.mark.parametrize(
    ("happened", "stays"), [(renamed, False), (renamed_and_edited, True), (replaced_by_a_twin, True)]
)
def test_an_original_that_was_renamed_between_crash_and_start_goes_and_nothing_else(
    tmp_path: Path, elsewhere: Path, happened: Callable[[Path], None], stays: bool
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    source, target = write(inbox / "a.jpg", PHOTO, mtime_s=1.5), elsewhere / "red" / "a.jpg"
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([intent(source, target)], 1.0)
        copied(source, target)
        happened(source)
        told = reconcile(ledger, 2.0, paths=partial(scan, PathFilter(inbox, recursive=True)))
    assert told == {source: Outcome.FILED}
    assert tree(elsewhere) == {"red/a.jpg": PHOTO}
    assert bool(tree(inbox)) == stays


def test_an_original_that_was_renamed_is_not_taken_for_filed_where_nothing_was_published(
    tmp_path: Path, elsewhere: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    source, target = write(inbox / "a.jpg", PHOTO, mtime_s=1.5), elsewhere / "a.jpg"
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([intent(source, target)], 1.0)
        shutil.copy2(source, target)  # as another inbox files its twin
        renamed(source)
        reconcile(ledger, 2.0, paths=partial(scan, PathFilter(inbox, recursive=True)))
    assert tree(inbox) == {"sub/renamed.jpg": PHOTO}


def test_a_hard_link_is_known_when_its_device_has_another_number(tmp_path: Path) -> None:
    source, target = write(tmp_path / "a.jpg", PHOTO, mtime_s=1.5), tmp_path / "b.jpg"
    was = identity_of(source)._replace(device=1)
    with opened_ledger(tmp_path / "l") as ledger:
        ledger.intend([intent(source, target, identity=was, mode=Mode.HARDLINK, held=source)], 1.0)
        os.link(source, target)
        assert reconcile(ledger, 2.0) == {source: Outcome.FILED}
        assert ledger.known(source, identity_of(source))
    assert digest(target.read_bytes()) == digest(PHOTO)

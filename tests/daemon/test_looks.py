"""Looks at a share go on beside everything else: what is announced elsewhere passes them, and nothing gets lost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.files.identity import Identity
from daemon.intake import looks as looks_module
from daemon.intake.filters import PathFilter
from daemon.intake.inbox_mounts import InboxMounts
from daemon.intake.intake import Intake
from daemon.intake.scanner import FAR_NAMES, RESCAN_S
from daemon.intake.settle import Trigger
from daemon.photo import Outcome, Photo
from daemon.process.parallel import SHARE_TOGETHER
from tests.daemon.support import DEADLINE_S, HandClock, wait_until, write


class World:
    """A recursive inbox whose folder `far` counts as a share, and its clock."""

    def __init__(self, inbox: Path) -> None:
        self.inbox, self.far, self.clock = inbox, inbox / "far", HandClock()
        self.intake = Intake(PathFilter(inbox, recursive=True), self.clock, print, watch=True)  # type: ignore[arg-type]

    def settle(self) -> None:
        """Let all looks that are asked for come back."""
        self.intake.ready(0, 0.0)
        wait_until(lambda: not self.turn(), "the looks to come back")

    def turn(self) -> int:
        self.intake.ready(0, 0.0)
        return len(self.intake.looks)

    def ready(self) -> list[Photo]:
        """Collect what is ready after two looks, two seconds apart."""
        self.settle()
        self.clock.turn(2.0)
        self.settle()
        return self.intake.ready(10_000, 0.0)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    (tmp_path / "inbox" / "far").mkdir(parents=True)
    monkeypatch.setattr(InboxMounts, "share_and_mount", lambda _, folder: (folder.name == "far", None))
    monkeypatch.setattr(InboxMounts, "slow_settle", lambda _, folder, *more: folder.name == "far")
    monkeypatch.setattr(InboxMounts, "any_share", lambda _: True)
    one = World(tmp_path / "inbox")
    yield one
    one.intake.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("look-")]


@contextmanager
def hanging(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[tuple[list[Path], threading.Event]]:
    """Let looks at the share hang until the event, or the end of the block; yields the paths that are looked at too."""
    real, go_on, asked = getattr(looks_module, name), threading.Event(), list[Path]()

    def look(path: Path) -> object:
        if path.parent.name == "far":
            asked.append(path)
            go_on.wait(DEADLINE_S)
        return real(path)

    with monkeypatch.context() as slow:
        slow.setattr(looks_module, name, look)
        try:
            yield asked, go_on
        finally:
            go_on.set()


def test_photos_of_a_share_come_once_each_after_two_looks(world: World) -> None:
    for number in range(40):
        write(world.far / f"{number}.jpg", b"x")
    world.settle()
    assert world.intake.ready(1000, 0.0) == []
    photos = world.ready()
    assert sorted(photo.path.name for photo in photos) == sorted(f"{number}.jpg" for number in range(40))
    assert all(photo.found.on_share for photo in photos)
    world.clock.turn(RESCAN_S)
    assert world.ready() == []


@pytest.mark.parametrize("look", ["look_closely_at", "look_fresh"])
def test_what_is_announced_does_not_wait_behind_looks_at_a_share(
    world: World, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    for number in range(100):
        write(world.far / f"{number}.jpg", b"x")
    if look == "look_fresh":
        world.settle()
        world.clock.turn(2.0)
    with hanging(monkeypatch, look) as (asked, _):
        world.intake.ready(0, 0.0)
        wait_until(lambda: len(asked) == SHARE_TOGETHER, "as many looks as there are threads")
        write(world.inbox.parent / "new.jpg", b"x").rename(world.inbox / "new.jpg")
        world.intake.hint(world.inbox / "new.jpg", Trigger.MOVED_IN)
        assert [photo.path.name for photo in world.intake.ready(10, 0.0)] == ["new.jpg"]
        assert not world.intake.finished_once()
    assert len(world.ready()) == 100


def test_what_is_announced_on_a_share_is_looked_at_before_what_was_found_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        write(world.far / f"{number}.jpg", b"x")
    with hanging(monkeypatch, "look_closely_at") as (asked, go_on):
        world.intake.ready(0, 0.0)
        wait_until(lambda: len(asked) == SHARE_TOGETHER, "as many looks as there are threads")
        world.intake.hint(write(world.far / "new.jpg", b"x"), Trigger.MOVED_IN)
        world.intake.ready(0, 0.0)
        go_on.set()
        wait_until(lambda: len(asked) > SHARE_TOGETHER, "the next look")
    assert asked[SHARE_TOGETHER].name == "new.jpg"
    world.settle()
    assert [photo.path.name for photo in world.intake.ready(1000, 0.0)] == ["new.jpg"]


def test_a_look_that_began_before_a_file_was_noticed_again_does_not_count_as_its_second(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(world.far / "growing.jpg", b"x")
    world.settle()
    world.clock.turn(2.0)
    with hanging(monkeypatch, "look_fresh") as (asked, _):
        world.intake.ready(0, 0.0)
        wait_until(lambda: len(asked) == 1, "the second look")
        with path.open("ab") as file:
            file.write(b"more")
        world.intake.hint(path, Trigger.FOUND)  # its new state is seen, and has to rest two seconds
        world.intake.ready(0, 0.0)
        wait_until(lambda: not world.intake._settler.is_due(path, world.clock.now_s) or not world.turn(), "the note")
    world.settle()
    assert world.intake.ready(10, 0.0) == [], "it was taken by an old look"
    (photo,) = world.ready()
    assert photo.found.identity == Identity.of(path.stat())


def test_what_was_taken_away_from_a_share_is_forgotten(world: World) -> None:
    path = write(world.far / "a.jpg", b"x")
    (photo,) = world.ready()
    photo.filing.outcome = Outcome.AGAIN
    world.intake.done([photo])
    world.intake.ready(0, 0.0)
    assert world.intake._retries.pending()
    path.unlink()
    world.clock.turn(RESCAN_S)
    world.settle()
    assert not world.intake._retries.pending()
    other = write(world.far / "b.jpg", b"x")
    world.clock.turn(RESCAN_S)
    world.settle()
    other.unlink()
    assert world.ready() == []
    assert other not in world.intake._settler


def test_fewer_names_of_a_share_wait_and_each_comes_once(world: World) -> None:
    names = {f"{number}.jpg" for number in range(FAR_NAMES + 200)}
    for name in names:
        (world.far / name).touch()
    got: list[str] = []
    while len(got) < len(names):
        photos = world.ready()
        assert world.intake._waiting() + len(photos) <= FAR_NAMES
        got += [photo.path.name for photo in photos]
        for photo in photos:
            photo.path.unlink()
            photo.filing.outcome = Outcome.FILED
        world.intake.done(photos)
    assert len(got) == len(names)
    assert set(got) == names


def test_the_end_does_not_wait_for_looks_that_have_not_begun(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(100):
        write(world.far / f"{number}.jpg", b"x")
    with hanging(monkeypatch, "look_closely_at") as (asked, go_on):
        world.intake.ready(0, 0.0)
        wait_until(lambda: len(asked) == SHARE_TOGETHER, "as many looks as there are threads")
        closing = threading.Thread(target=world.intake.close)
        closing.start()
        wait_until(lambda: world.intake.looks._queue.queue[0][0] == looks_module._END, "the end")
        go_on.set()
        closing.join(DEADLINE_S)
    assert len(asked) == SHARE_TOGETHER

"""Random interleavings of what people and programs do in an inbox with a running daemon: nothing lost, none doubled."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.promise.world import World, contents, digest, photo
from tests.daemon.support import QUICK

NUMBERS = count()
PLACES = 3
DOINGS = ("create", "create slowly", "move in", "append", "rename", "replace", "delete", "link")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("interleavings"))
    world.start()
    yield world
    world.close()


@dataclass
class File:
    """A file that was put in: its whole content by now, and under how many names it must be found."""

    content: bytes
    names: int = 1
    perhaps: bool = False
    """Somebody replaced it at the very moment when it may have been filed: then it may be gone, but not doubled."""


@dataclass
class Producer:
    """Does things in the inbox, and keeps the book of what must be found in the end."""

    world: World
    files: dict[int, File]

    def do(self, doing: str, place: int) -> None:
        """Do one thing at one of a few names; what is not there (any more) cannot be changed."""
        path = self.world.inbox / f"{place}.jpg"
        try:
            getattr(self, doing.replace(" ", "_"))(path)
        except (FileNotFoundError, FileExistsError):
            return

    def create(self, path: Path) -> None:
        data = photo(next(NUMBERS))
        with path.open("xb") as file:
            file.write(data)
            self._note(file.fileno(), data)

    def create_slowly(self, path: Path) -> None:
        data = photo(next(NUMBERS))
        with path.open("xb", buffering=0) as file:
            for start in range(0, len(data), 100):
                file.write(data[start : start + 100])
                os.fsync(file.fileno())
            self._note(file.fileno(), data)

    def move_in(self, path: Path) -> None:
        if path.exists():
            raise FileExistsError
        self._next().rename(path)

    def append(self, path: Path) -> None:
        file = os.open(path, os.O_WRONLY | os.O_APPEND)  # without O_CREAT: the daemon may have taken it
        try:
            os.write(file, b"and more")
            self.files[os.fstat(file).st_ino].content += b"and more"
        finally:
            os.close(file)

    def rename(self, path: Path) -> None:
        path.rename(self.world.inbox / f"renamed-{next(NUMBERS)}.jpg")

    def replace(self, path: Path) -> None:
        old = self.files[path.stat().st_ino]
        old.perhaps = True
        self._next().replace(path)

    def delete(self, path: Path) -> None:
        old = path.stat().st_ino
        path.unlink()
        self.files[old].names -= 1

    def link(self, path: Path) -> None:
        other = self.world.inbox / f"linked-{next(NUMBERS)}.jpg"
        file = path.stat().st_ino
        other.hardlink_to(path)
        self.files[file].names += 1

    def _next(self) -> Path:
        """A whole photo beside the inbox."""
        data = photo(next(NUMBERS))
        whole = self.world.waiting / "next"
        with whole.open("wb") as file:
            file.write(data)
            self._note(file.fileno(), data)
        return whole

    def _note(self, descriptor: int, data: bytes) -> None:
        self.files[os.fstat(descriptor).st_ino] = File(data)


def settled(world: World) -> Counter[str]:
    """What lies in the output once nothing moves any more: what changed at the last moment goes back and comes anew."""
    world.until_filed()
    found, before = contents(world.output), None
    while found != before:
        world.until_filed()
        found, before = contents(world.output), found
    return found


@settings(QUICK, max_examples=12)
@given(st.lists(st.tuples(st.sampled_from(DOINGS), st.integers(0, PLACES - 1)), min_size=5, max_size=40))
def test_whatever_happens_in_the_inbox_each_whole_photo_ends_in_exactly_one_place(
    world: World, doings: list[tuple[str, int]]
) -> None:
    before = contents(world.output)
    producer = Producer(world, {})
    for doing, place in doings:
        producer.do(doing, place)
    found = settled(world) - before
    for file in producer.files.values():
        places = found.pop(digest(file.content), 0)
        assert places == file.names or (file.perhaps and places < file.names), (doings, file)
    assert found == Counter(), f"contents that nobody put in: {doings}"

"""Photos of other users, of whose writers the kernel tells nothing: filed by a daemon whose unit has PrivateUsers=yes.

The daemon runs in a user namespace in which nobody but its own user has a number, as systemd makes one. The photos
belong to somebody else.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from daemon.ledger.leaving import ENDING
from tests.daemon.house import ask, told
from tests.daemon.support import daemon, model_file, plain, tree, wait_until, write

pytestmark = [pytest.mark.system("unshare", root=True)]

SOMEBODY = 4001
RED, FILM = plain("red"), b"the film behind it"
AS_THE_UNIT = ("unshare", "--map-root-user", "--")
HASTY = "import daemon.filing.departures, daemon.ledger.leaving\n{}daemon.filing.departures.LOOK_S = 0.2\n"
SHORT = "daemon.filing.departures.WAIT_S = daemon.ledger.leaving.WAIT_S = 2.0\n"


@contextmanager
def half_written(path: Path) -> Iterator[IO[bytes]]:
    """Somebody writes a whole JPEG, and its film is still to come."""
    with path.open("ab", buffering=0) as file:
        os.fchown(file.fileno(), SOMEBODY, SOMEBODY)
        os.fchmod(file.fileno(), 0o644)
        file.write(RED)
        yield file


class Place:
    """An inbox, an output, and the options that name them."""

    def __init__(self, folder: Path, output: Path) -> None:
        self.inbox, self.output = folder / "in", output
        self.inbox.mkdir()
        self.photo = self.inbox / "a.jpg"
        self.options = ("--inbox", self.inbox, "--output", output, "--model", model_file(folder))
        self.site = folder / "site"
        self.site.mkdir()

    def env(self, *, short: bool = True) -> dict[str, str]:
        write(self.site / "sitecustomize.py", HASTY.format(SHORT if short else "").encode())
        return {"PYTHONPATH": f"{self.site}:{Path(__file__).parents[2]}"}

    def left(self) -> list[Path]:
        return [path for path in self.inbox.iterdir() if path.name.endswith(ENDING)]

    def filed(self) -> dict[str, bytes]:
        return {path: data for path, data in tree(self.output).items() if ".phototriage" not in path}


@pytest.fixture(params=["one file system", "two file systems"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    far = request.param == "two file systems"
    return Place(tmp_path, request.getfixturevalue("elsewhere") if far else tmp_path / "out")


@pytest.fixture
def far(tmp_path: Path, elsewhere: Path) -> Place:
    return Place(tmp_path, elsewhere)


def test_an_upload_that_stalls_is_filed_when_it_is_closed_and_named_until_then(place: Place) -> None:
    with daemon(*place.options, env=place.env(), prefix=AS_THE_UNIT) as running:
        write(place.inbox / "first.txt", FILM)  # no photo, and stays: once that is said, the inbox is watched
        running.until(lambda event: event.get("outcome") == "left", "the first file")
        with half_written(place.photo) as writer:

            def named() -> list[Any]:
                (facts,) = told("status", "--inbox", place.inbox)
                return [one["path"] for one in facts["held_open"]["longest"]]

            wait_until(lambda: named() == [str(place.photo)], "status to name it")
            assert place.filed() == {}
            writer.write(FILM)
        assert running.photos({"a.jpg"})["a.jpg"]["outcome"] == "filed"
        assert place.filed() == {"red/a.jpg": RED + FILM}
        wait_until(lambda: set(tree(place.inbox)) == {"first.txt"}, "its original to go")
        assert running.stop() == 0
    assert ask("undo", "--inbox", place.inbox, "--last", "1").exit_code == 0
    assert tree(place.inbox) == {"a.jpg": RED + FILM, "first.txt": FILM}


def test_of_a_file_that_was_opened_before_the_start_no_byte_is_lost(far: Place) -> None:
    with half_written(far.photo) as writer, daemon(*far.options, env=far.env(), prefix=AS_THE_UNIT) as running:
        running.photos({"a.jpg"})
        assert far.filed() == {"red/a.jpg": RED}
        assert [path.read_bytes() for path in far.left()] == [RED]
        writer.write(FILM)
        writer.close()
        wait_until(lambda: far.filed() == {"red/a.jpg": RED + FILM}, "the whole file, and no part")
        wait_until(lambda: tree(far.inbox) == {}, "its original to go")
        assert running.stop() == 0
    (last, first) = told("history", "--inbox", far.inbox)
    assert (first["state"], last["state"]) == ("gone", "filed")
    assert ask("undo", "--inbox", far.inbox, "--last", "1").exit_code == 0
    assert tree(far.inbox) == {"a.jpg": RED + FILM}


def test_one_pass_waits_for_what_it_copied_and_files_what_grew_again(far: Place) -> None:
    options = {"env": far.env(), "prefix": AS_THE_UNIT, "verb": "sort"}
    with half_written(far.photo) as writer, daemon(*far.options, **options) as running:  # type: ignore[arg-type]
        running.photos({"a.jpg"})
        writer.write(FILM)
        writer.close()
        assert running.wait() == 0
    assert far.filed() == {"red/a.jpg": RED + FILM}
    assert tree(far.inbox) == {}


def test_a_pass_that_is_stopped_while_it_waits_leaves_the_rest_to_the_next_start(far: Place) -> None:
    with half_written(far.photo):
        pass
    with daemon(*far.options, env=far.env(short=False), prefix=AS_THE_UNIT, verb="sort") as running:
        wait_until(lambda: any("a program may still write" in line for line in running.errors), "why it waits")
        assert far.filed() == {"red/a.jpg": RED}
        assert len(far.left()) == 1
        running.stop()
    assert len(far.left()) == 1
    with daemon(*far.options, env=far.env(), prefix=AS_THE_UNIT, verb="sort") as running:
        assert running.wait() == 0
    assert far.filed() == {"red/a.jpg": RED}
    assert tree(far.inbox) == {}


def test_what_is_undone_while_its_original_waits_is_in_the_inbox_once(far: Place) -> None:
    with half_written(far.photo):
        pass
    with daemon(*far.options, env=far.env(), prefix=AS_THE_UNIT) as running:
        running.photos({"a.jpg"})
        assert len(far.left()) == 1
        assert ask("undo", "--inbox", far.inbox, "--last", "1").exit_code == 0
        wait_until(lambda: tree(far.inbox) == {"a.jpg": RED}, "its original to go")
        assert far.filed() == {}
        assert running.stop() == 0

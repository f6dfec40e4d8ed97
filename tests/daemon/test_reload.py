"""When a model is loaded again: a clock that is turned by hand, real files and real models."""

import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from contract.session import open_model
from daemon.classify.loaded_model import LoadedModel
from daemon.models.active import ActiveModel
from daemon.models.history import Entry, ModelEvent
from daemon.models.reload import LOOK_S, Reloader
from daemon.models.store import ModelStore, called
from tests.daemon.support import HandClock, command, digest, environment, roots, rules, wait_until, write
from tests.daemon.swap import NEW, OLD, replace_model


class House:
    """A model file, a store and a reloader, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.file = write(folder / "model.onnx", OLD)
        self.store = ModelStore(folder, called(self.file))
        self.clock = HandClock()
        self.told: list[Entry] = []
        self.provider = "cpu"
        seen = self.store.look()
        self.active = ActiveModel(self._opened(self.file))
        self.reloader = Reloader(self.active, self.store, seen, self.clock, self._opened, self.told.append)  # type: ignore[arg-type]

    def _opened(self, file: Path) -> LoadedModel:
        model = open_model(file, "cpu")
        return LoadedModel(replace(model, provider=self.provider), rules(), file)  # type: ignore[arg-type]

    def look(self, turn_s: float = LOOK_S) -> list[ModelEvent]:
        """Look once, let what it began end, and return what was told by that."""
        before = len(self.told)
        self.clock.turn(turn_s)
        self.reloader.look()
        self.reloader.close()
        return [entry.what for entry in self.told[before:]]

    def serves(self) -> str:
        return self.active.current.model.sha256


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path)
    with closing(built.reloader):
        yield built


def test_a_file_that_changed_is_taken_once_two_looks_agree(house: House) -> None:
    assert [house.look(), house.look()] == [[], []]
    replace_model(house.file, NEW)
    assert house.look() == []
    assert house.look(LOOK_S / 2) == []
    assert house.look() == [ModelEvent.USED]
    assert house.serves() == digest(NEW)
    assert [house.look(), house.look()] == [[], []]


def test_a_file_that_is_still_being_written_is_not_taken(house: House) -> None:
    house.look()
    with house.file.open("wb") as out:
        for part in (NEW[:100], NEW[100:200], NEW[200:300]):
            out.write(part)
            out.flush()
            assert house.look() == []
        out.write(NEW[300:])
    assert [house.look(), house.look()] == [[], [ModelEvent.USED]]


def test_a_file_that_is_refused_is_not_tried_again_until_it_changes(house: House) -> None:
    replace_model(house.file, NEW[:-9])
    assert [house.look() for _ in range(4)] == [[], [ModelEvent.REFUSED], [], []]
    assert house.serves() == digest(OLD)
    replace_model(house.file, NEW)
    assert [house.look(), house.look()] == [[], [ModelEvent.USED]]


def test_a_file_that_is_gone_leaves_the_model_at_work(house: House) -> None:
    house.file.unlink()
    assert [house.look(), house.look()] == [[], []]
    house.reloader.ask()
    assert house.look() == [ModelEvent.REFUSED]
    replace_model(house.file, NEW)
    assert [house.look(), house.look()] == [[], [ModelEvent.USED]]


def test_who_asks_need_not_wait_for_two_looks(house: House) -> None:
    house.look()
    replace_model(house.file, NEW)
    house.reloader.ask()
    assert house.look(0.0) == [ModelEvent.USED]


def test_a_model_that_would_run_elsewhere_is_refused(house: House) -> None:
    house.provider = "cuda"
    house.reloader.ask()
    assert house.look() == [ModelEvent.REFUSED]
    assert "CPU" in house.told[-1].reason
    assert house.active.current.model.provider == "cpu"


def test_a_request_is_taken_at_the_next_look_and_answered_by_its_id(house: House) -> None:
    kept = house.store.put("garden.onnx", NEW, digest(NEW))
    request = house.store.requests.ask(kept)
    assert house.look() == [ModelEvent.USED]
    assert house.told[-1].request == request.id
    assert house.active.current.file == house.store.path() != house.file
    back = house.store.requests.ask(None)
    assert house.look() == [ModelEvent.ROLLED_BACK]
    assert house.told[-1].request == back.id
    assert (house.serves(), house.active.current.file) == (digest(OLD), house.file)
    house.store.requests.ask(None)
    assert house.look() == [ModelEvent.REFUSED]
    assert "no model to go back to" in house.told[-1].reason
    assert [house.look(), house.look()] == [[], []]


def test_a_model_that_is_not_what_was_put_in_place_is_refused(house: House) -> None:
    kept = house.store.put("garden.onnx", NEW, digest(NEW))
    house.store.requests.ask(kept)
    (house.store.folder / kept.file).write_bytes(OLD)
    assert house.look() == [ModelEvent.REFUSED]
    assert "damaged" in house.told[-1].reason
    assert house.store.path() == house.file


def test_a_request_that_the_last_process_did_not_survive_is_refused_at_the_start(house: House) -> None:
    request = house.store.requests.ask(house.store.put("garden.onnx", NEW, digest(NEW)))
    house.store.requests.take()
    house.reloader.begin()
    assert [(entry.what, entry.request) for entry in house.told] == [
        (ModelEvent.REFUSED, request.id),
        (ModelEvent.STARTED, ""),
    ]
    assert [house.look(), house.look()] == [[], []]
    assert house.serves() == digest(OLD)


@pytest.mark.parametrize("name", ["chosen.json", "wanted.json", "trying.json"])
def test_a_damaged_store_leaves_the_model_in_use(house: House, name: str) -> None:
    house.store.folder.mkdir()
    write(house.store.folder / name, b"[")
    house.reloader.begin()
    assert ModelEvent.USED not in [*house.look(), *house.look()]
    house.reloader.ask()
    refused = house.look() == [ModelEvent.REFUSED]
    assert refused == (name == "chosen.json")
    assert house.serves() == digest(OLD)
    (house.store.folder / name).unlink(missing_ok=True)
    replace_model(house.file, NEW)
    assert [house.look(), house.look()] == [[], [ModelEvent.USED]]


def test_closing_the_terminal_ends_a_daemon_that_was_started_in_it(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    ours, its = pty.openpty()
    words = command("watch", "--inbox", inbox, "--output", output)
    with subprocess.Popen(
        words, stdin=its, stdout=its, stderr=its, env=environment(), start_new_session=True
    ) as process:
        os.close(its)
        seen = b""
        while b"ready: runs" not in seen:
            seen += os.read(ours, 4096)
        process.send_signal(signal.SIGHUP)
        while b"is unchanged" not in seen:
            seen += os.read(ours, 4096)
        os.close(ours)
        process.send_signal(signal.SIGHUP)  # as the shell does when its terminal is closed
        wait_until(lambda: process.poll() is not None, "the end")
        assert process.returncode == 0

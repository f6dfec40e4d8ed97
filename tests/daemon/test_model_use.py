"""`phototriage model`: a model is put in place and taken back, beside a daemon at work or before one starts."""

import hashlib
import json
import os
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from contract.learned import Learned
from contract.memory import MemoryFacts, memory_path
from daemon.ledger.movers import lock_state
from daemon.ledger.state_folder import state_folder
from daemon.models.change import use
from daemon.models.history import ModelEvent
from daemon.models.store import ModelStore, called
from tests.colour_model import LABELS, colour_model, with_changes
from tests.daemon.conftest import Stranger
from tests.daemon.house import ask, told
from tests.daemon.support import command, daemon, digest, environment, model_file, plain, roots, run, tree, write
from tests.daemon.swap import NEW, OLD, OTHERS, rows, told_of_models


class House:
    """An inbox whose daemon is started with one model, and another model to use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inbox, self.output = roots(folder)
        self.configured = model_file(folder)
        self.new = write(folder / "garden party.onnx", NEW)
        self.state = state_folder(self.inbox)
        self.words: list[str | Path] = ["--inbox", self.inbox, "--output", self.output, "--model", self.configured]

    def begun(self) -> "House":
        """Let a daemon have run once."""
        with daemon(*self.words) as process:
            process.ready()
            assert process.stop() == 0
        return self

    def ask(self, *words: str | Path, code: int = 0) -> str:
        result = ask("model", *words, "--inbox", self.inbox)
        assert result.exit_code == code, result.output
        return result.output

    def starts_with(self) -> str:
        """Return the hash of the model that a daemon starts with."""
        with daemon(*self.words) as process:
            ready = process.ready()
            assert process.stop() == 0
        return str(ready["sha256"])

    def shelved(self) -> list[str]:
        return sorted(path.name for path in (self.state / "models").iterdir())


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def drop(house: House, name: str) -> Path:
    return write(house.folder / "part", plain("red")).rename(house.inbox / name)


def test_a_daemon_at_work_takes_a_model_and_goes_back_without_a_stop(house: House) -> None:
    with daemon(*house.words) as process:
        process.ready()
        assert "colours.onnx is replaced by garden-party." in house.ask("use", house.new)
        house.new.unlink()
        drop(house, "1.jpg")
        assert process.photos({"1.jpg"})["1.jpg"]["label"] == "rouge"
        (status,) = told("status", "--inbox", house.inbox)
        assert (status["model"]["sha256"], status["model"]["labels"]) == (digest(NEW), list(OTHERS))
        assert "rolled back from garden-party" in house.ask("rollback")
        drop(house, "2.jpg")
        assert process.photos({"2.jpg"})["2.jpg"]["label"] == "red"
        assert "no model to go back to" in house.ask("rollback", code=1)
        assert process.stop() == 0
    assert [row["model"] for row in rows(house.inbox)] == [digest(NEW), digest(OLD)]
    listed = [json.loads(line)["what"] for line in house.ask("list", "--json").splitlines()]
    assert listed == ["rolled back", "used", "started"]
    assert "garden-party" in house.ask("list")


def test_what_is_in_place_serves_after_a_restart_and_for_sort_and_the_ready_line_says_so(house: House) -> None:
    house.begun().ask("use", house.new)
    assert house.starts_with() == digest(NEW)
    drop(house, "1.jpg")
    done = run("sort", *house.words)
    assert done.returncode == 0
    assert "(put in place over colours.onnx) knows rouge" in done.stderr
    assert list(tree(house.output)) == ["rouge/1.jpg"]
    assert "knows red" in house.ask("rollback")
    assert house.starts_with() == digest(OLD)


def test_another_model_in_the_configuration_wins_over_what_was_put_in_place_before(house: House) -> None:
    house.begun().ask("use", house.new)
    house.words[-1] = write(house.folder / "third.onnx", colour_model(("a", "b", "c")))
    with daemon(*house.words) as process:
        assert process.ready()["labels"] == ["a", "b", "c"]
        assert process.stop() == 0
    house.words[-1] = house.configured
    assert house.starts_with() == digest(NEW)


def test_each_step_back_leads_to_the_model_before(house: House) -> None:
    house.begun()
    third = write(house.folder / "third.onnx", colour_model(("a", "b", "c")))
    for file in (house.new, third, house.new):
        house.ask("use", file)
    assert house.starts_with() == digest(NEW)
    house.ask("rollback")
    assert house.starts_with() == digest(third.read_bytes())
    house.ask("rollback")
    assert house.starts_with() == digest(OLD)


def test_a_broken_model_never_reaches_the_daemon(house: House) -> None:
    house.begun()
    for data in (NEW[:-9], b"", with_changes(NEW, labels=["..", "b", "c", "d"]), b"GIF89a"):
        result = ask("model", "use", write(house.folder / "broken.onnx", data), "--inbox", house.inbox)
        assert (result.exit_code, "broken.onnx: " in result.stderr) == (1, True), result.stderr
    assert ask("model", "use", house.folder / "missing.onnx", "--inbox", house.inbox).exit_code == 1
    assert not (house.state / "models").exists()
    assert [entry.what for entry in told_of_models(house.inbox)] == [ModelEvent.STARTED]


def test_a_model_that_the_daemon_refuses_is_not_in_place_afterwards(house: House) -> None:
    inbox = house.output / "vert"
    inbox.mkdir()
    words: list[str | Path] = ["--inbox", inbox, "--output", house.output, "--model", house.configured]
    with daemon(*words) as process:
        process.ready()
        store = ModelStore(state_folder(inbox), called(house.configured))
        store.requests.ask(store.put("new.onnx", NEW, digest(NEW)))  # as by a command that does not know the folders
        process.process.send_signal(signal.SIGHUP)
        assert process.until(lambda event: event["event"] == "model", "the refusal")["what"] == "refused"
        result = ask("model", "use", house.new, "--inbox", inbox)
        assert (result.exit_code, "is the folder vert" in result.output) == (1, True), result.output
        assert process.stop() == 0
    assert store.path() == house.configured
    assert not store.requests.is_waiting()


def test_what_was_put_in_place_is_only_ever_changed_by_who_holds_the_lock(house: House) -> None:
    house.begun()
    with lock_state(house.state):
        process = subprocess.Popen(
            command("model", "use", house.new, "--inbox", house.inbox), env=environment(), stderr=subprocess.PIPE
        )
        store = ModelStore(house.state, called(house.configured))
        while not store.requests.is_waiting():
            assert process.poll() is None
        assert store.path() == house.configured
        process.kill()  # while it waits for an answer
        process.communicate()
    with daemon(*house.words) as daemon_:  # what was asked for and not taken is taken by the next one
        assert daemon_.ready()["sha256"] == digest(OLD)
        assert daemon_.until(lambda event: event["event"] == "model", "the swap")["sha256"] == digest(NEW)
        assert daemon_.stop() == 0
    assert house.starts_with() == digest(NEW)


def test_who_may_not_write_beside_the_ledger_is_told_as_whom_to_ask(house: House, stranger: Stranger) -> None:
    house.begun()
    if not stranger.prefix:
        house.state.chmod(0o500)
    else:
        house.state.chmod(0o555)
    done = stranger.phototriage("model", "use", house.new, "--inbox", house.inbox)
    house.state.chmod(0o700)
    assert done.returncode == 1
    assert "may not write to" in done.stderr
    assert "sudo -u" in done.stderr


def test_a_service_is_named_or_said_to_be_none() -> None:
    result = ask("model", "use", "a.onnx", "--for", "no-such-service")
    assert result.exit_code == 1
    assert "no ledger of a service no-such-service" in result.output
    assert ask("model", "list", "--for", "a", "--inbox", "b").exit_code == 2


def test_only_so_many_models_are_kept(house: House) -> None:
    house.begun()
    models = [colour_model(LABELS, gain=gain) for gain in (8.0, 9.0, 10.0, 11.0, 13.0, 14.0, 15.0)]
    store = ModelStore(house.state, called(house.configured))
    for number, data in enumerate(models):
        for path in store.folder.glob("*.onnx"):
            write(path, path.read_bytes(), mtime_s=1.0)
        use(write(house.folder / f"{number}.onnx", data), house.state)
    assert [kept.sha256 for kept in store.stack()] == [digest(data) for data in models[-5:]]
    assert len(house.shelved()) == 6


def with_memory(house: House, name: str, data: bytes, **contract: Any) -> Path:
    """A model of the colours with a memory beside it."""
    facts = MemoryFacts(hashlib.sha256(data).hexdigest(), 5, 4, 2)
    file = write(house.folder / name, colour_model(LABELS, memory=facts, **contract))
    write(memory_path(file), data)
    return file


def test_the_memory_and_the_root_of_a_learnt_model_are_kept_with_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.models.store.KEPT", 2)
    root = with_memory(house, "colours.onnx", b"of the root")
    house.begun()
    sha256 = digest(root.read_bytes())
    learned = Learned(sha256, 12, "2026-11-30T12:00:00+00:00", "open")
    garden = with_memory(house, "garden.onnx", b"of the garden", learned=learned, gain=11.0)
    store = ModelStore(house.state, called(house.configured))
    use(garden, house.state)
    use(write(house.folder / "plain.onnx", NEW), house.state)
    for path in store.folder.iterdir():
        os.utime(path, (1.0, 1.0))
    use(garden, house.state)  # which removes what is old and not needed
    kept, old = store.stack()[-1], store.holding(sha256)
    assert old is not None
    assert {digest(path.read_bytes()) for path in (store.folder / kept.file, old)} == {kept.sha256, sha256}
    assert memory_path(store.folder / kept.file).read_bytes() == b"of the garden"
    assert memory_path(old).read_bytes() == b"of the root"
    for gain in (5.0, 6.0):
        for path in store.folder.iterdir():
            os.utime(path, (1.0, 1.0))
        use(write(house.folder / "other.onnx", colour_model(LABELS, gain=gain)), house.state)
    assert not list(store.folder.glob("*.memory"))  # no way leads back to the learnt model


def test_a_learnt_model_that_hides_a_newer_root_is_said_to(house: House) -> None:
    house.begun()
    learned = Learned(digest(house.configured.read_bytes()), 12, "2026-11-30T12:00:00+00:00", "open")
    house.ask("use", write(house.folder / "learnt.onnx", colour_model(LABELS, learned=learned, gain=11.0)))
    assert "was learnt from" not in run("sort", *house.words).stderr
    write(house.configured, colour_model(LABELS, gain=9.0))  # as an upgrade does
    said = run("sort", *house.words).stderr
    assert "colours.onnx is another model than the one that the model in use was learnt from" in said
    assert f"phototriage model use {house.configured}, then phototriage learn" in said


def test_a_model_with_the_memory_of_another_one_is_refused_and_without_it_used(house: House) -> None:
    house.begun()
    garden = with_memory(house, "garden.onnx", b"of the garden")
    write(memory_path(garden), b"of another one")
    assert "garden.memory is damaged or belongs to another model" in house.ask("use", garden, code=1)
    assert not (house.state / "models").exists()
    memory_path(garden).unlink()
    assert "the next start uses garden" in house.ask("use", garden)
    assert [name for name in house.shelved() if name.endswith(".memory")] == []


NOBODY = 65534


@pytest.mark.system(root=True)
def test_what_root_puts_in_place_belongs_to_whom_the_state_folder_does(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="phototriage-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # unlike tmp_path, which others may not enter
        house = House(folder)
        monkeypatch.setenv("STATE_DIRECTORY", str(folder / "state"))
        house.state = folder / "state"
        house.begun()
        for path in (house.state, *house.state.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        assert "the next start uses garden-party" in house.ask("use", house.new)
        assert os.geteuid() == 0
        assert {path.stat().st_uid for path in (house.state, *house.state.rglob("*"))} == {NOBODY}
        with daemon(*house.words) as process:
            assert process.ready()["sha256"] == digest(NEW)
            other = write(folder / "other.onnx", colour_model(("a", "b", "c")))
            assert "is replaced by other." in house.ask("use", other)
            (put,) = (house.state / "models").glob("other.*.onnx")
            assert put.stat().st_uid == NOBODY
            assert process.stop() == 0


CALLS = {"openat": 200, "rename": 1, "fsync": 1, "write": 2, "pwrite64": 6, "unlink": 2}


@pytest.mark.system("strace")
def test_after_a_kill_at_any_call_one_of_both_models_is_in_place_and_whole(house: House) -> None:
    house.begun()
    kills, in_place = 0, set[str]()
    for call, step in CALLS.items():
        for when in count(1, step):
            inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={when}"]
            words = command("model", "use", house.new, "--inbox", house.inbox)
            trace = ["strace", "-f", "-qq", "-o", "/dev/null", *inject, *words]
            if (
                subprocess.run(
                    trace, env=environment(TMPDIR=os.environ["HOME"]), capture_output=True, timeout=60
                ).returncode
                == 0
            ):
                break
            kills += 1
            store = ModelStore(house.state, called(house.configured))
            file = store.path()
            assert digest(file.read_bytes()) in (digest(OLD), digest(NEW)), f"after a kill at {call} {when}"
            in_place.add(file.name)
            if store.stack():
                house.ask("rollback")
        house.ask("rollback")
    assert kills > 15
    assert len(in_place) == 2
    assert house.starts_with() == digest(OLD)

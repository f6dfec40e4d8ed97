"""systemd hears how the daemon is in one line, and of a stuck stage by silence; a real process on a real socket."""

import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daemon.intake.walk import MARKER
from daemon.process import heartbeat as beats_module
from daemon.process.heartbeat import HOPELESS_S, STUCK_S, Heartbeat, bytes_moved
from daemon.process.log_level import Level
from daemon.queues import Waiting
from daemon.status.monitor import Monitor, Sources
from daemon.status.snapshot_parts import State
from daemon.status.supervisor import STATUS_S, SupervisorNotifier, watchdog_s
from tests.daemon.support import (
    DEADLINE_S,
    HASTY,
    ROOT,
    HandClock,
    command,
    daemon,
    environment,
    model_file,
    plain,
    run,
    wait_until,
    write,
)


class Supervisor:
    """The socket of a supervisor, and what came in."""

    def __init__(self) -> None:
        self.name = f"@phototriage-{uuid.uuid4().hex}"
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(DEADLINE_S)
        self._socket.bind("\0" + self.name[1:])

    def until(self, wanted: Callable[[str], bool], times: int = 1) -> list[str]:
        """Hear until a message came so many times; returns all that were heard on the way."""
        first, end_s = len(self.heard), time.monotonic() + DEADLINE_S
        while times:
            assert time.monotonic() < end_s, f"in vain waited for another message; heard: {self.heard[first:]}"
            message = self._socket.recv(4096).decode()
            self.heard.append(message)
            times -= wanted(message)
        return self.heard[first:]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with closing(Supervisor()) as one:
        yield one


def hasty(folder: Path, supervisor: Supervisor, tmp_path: Path) -> dict[str, str]:
    """Environment of a daemon that is fed twice a second and thinks a stage stuck after three."""
    write(folder / "sitecustomize.py", HASTY.encode())
    return {
        "PYTHONPATH": f"{folder}:{ROOT}", "STATE_DIRECTORY": str(tmp_path / "state"),
        "NOTIFY_SOCKET": supervisor.name, "WATCHDOG_USEC": "1000000",
    }  # fmt: skip


def fed(message: str) -> bool:
    return message == "WATCHDOG=1"


def test_an_idle_and_a_paused_daemon_feed_the_watchdog_and_one_with_a_stuck_stage_does_not(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "site").mkdir()
    env = hasty(tmp_path / "site", supervisor, tmp_path)
    options = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    with daemon(*options, env=env) as running:
        supervisor.until(lambda message: message == "READY=1\nSTATUS=ready on cpu; 0 filed, 0 waiting")
        supervisor.until(fed, 5)
        (tmp_path / "out" / MARKER).rename(tmp_path / "away")
        write(tmp_path / "a", plain("red")).rename(tmp_path / "in" / "a.jpg")
        supervisor.until(lambda message: message.startswith("STATUS=paused: the output has lost its marker"))
        supervisor.until(fed, 5)
        (tmp_path / "away").rename(tmp_path / "out" / MARKER)
        supervisor.until(lambda message: message == "STATUS=ready on cpu; 1 filed, 0 waiting")
        assert not any("stuck" in message for message in supervisor.heard)
        write(tmp_path / "b", b"P3\n40 40\n255\nsleep").rename(tmp_path / "in" / "b.ppm")
        supervisor.until(lambda message: message.startswith("STATUS=stuck: the stage 'read' has been in one call for"))
        after = supervisor.until(lambda message: message.startswith("STATUS=stuck"), 3)  # a second or more apart
        assert not any(map(fed, after))
        wait_until(
            lambda: any("(sitecustomize.py:13). The watchdog is not fed" in line for line in running.errors),
            "the line about it",
        )
        running.process.kill()


def test_a_reload_is_announced_and_its_end(tmp_path: Path, supervisor: Supervisor) -> None:
    (tmp_path / "in").mkdir()
    options = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    with daemon(*options, env={"NOTIFY_SOCKET": supervisor.name}) as running:
        running.ready()
        before_us = time.monotonic_ns() // 1000
        running.process.send_signal(signal.SIGHUP)
        said = supervisor.until(lambda message: message.startswith("RELOADING=1"))[-1]
        field, _, value = said.splitlines()[1].partition("=")
        assert field == "MONOTONIC_USEC"
        assert before_us <= int(value) <= time.monotonic_ns() // 1000
        supervisor.until(lambda message: message == "READY=1")
        assert running.stop() == 0


@pytest.mark.system("strace")
def test_a_filer_whose_rename_does_not_return_stops_the_feeding_until_it_does(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    """As on a mount that is dead for a while: the kernel's answer to one rename is held back for five seconds."""
    (tmp_path / "in").mkdir()
    (tmp_path / "site").mkdir()
    options = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    inject = ("-e", "trace=renameat2", "-e", "inject=renameat2:delay_enter=5000000:when=1")
    words = ("strace", "-f", "-qq", "-o", os.devnull, *inject, *command("watch", *options))
    env = environment(**hasty(tmp_path / "site", supervisor, tmp_path))
    assert run("sort", *options, env={"STATE_DIRECTORY": env["STATE_DIRECTORY"]}).returncode == 0  # marks the folders
    with subprocess.Popen(words, env=env, start_new_session=True, stdout=subprocess.DEVNULL) as traced:
        try:
            supervisor.until(fed, 3)
            write(tmp_path / "a", plain("red")).rename(tmp_path / "in" / "a.jpg")
            supervisor.until(lambda message: message.startswith("STATUS=stuck: the stage 'file' has been in one call"))
            stuck = supervisor.until(lambda message: message == "STATUS=ready on cpu; 1 filed, 0 waiting")
            assert sum(map(fed, stuck)) <= 1  # as soon as it goes on
            supervisor.until(fed, 3)
        finally:
            os.killpg(traced.pid, signal.SIGKILL)


def test_a_stop_is_announced(tmp_path: Path, supervisor: Supervisor) -> None:
    (tmp_path / "in").mkdir()
    options = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    with daemon(*options, env={"NOTIFY_SOCKET": supervisor.name}) as running:
        running.ready()
        assert running.stop() == 0
    assert "STOPPING=1" in supervisor.until(lambda message: message == "STOPPING=1")
    assert not any(map(fed, supervisor.heard))


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0), ({"WATCHDOG_USEC": "500000"}, 0.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0.0), ({}, 0.0), ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)  # fmt: skip
def test_the_watchdog_is_fed_when_the_supervisor_asks_this_very_process(
    environ: dict[str, str], seconds: float
) -> None:
    assert watchdog_s(environ, 7) == seconds


class Told:
    """A herald of a daemon, what it told, and a clock to turn."""

    def __init__(self, feed_within_s: float = 30.0) -> None:
        self.clock = HandClock(0.0)
        self.sent: list[str] = []
        self.said: list[str] = []
        self.moved = 0
        self.monitor = Monitor(self.clock, lambda _: self.moved)  # type: ignore[arg-type]
        self.monitor.enter(State.READY)
        self.levels: list[Level] = []
        self.notifier = SupervisorNotifier(self.monitor, self.sent.append, self.say, feed_within_s)

    def say(self, sentence: str, level: Level = Level.WARNING, /) -> None:
        self.said.append(sentence)
        self.levels.append(level)

    def after(self, seconds: float) -> list[str]:
        """Run for so long, as the keeper does; returns what was sent."""
        first, end_s = len(self.sent), self.clock.now_s + seconds
        while (due_s := max(self.clock.now_s, self.notifier.due_s())) <= end_s:
            self.clock.now_s = due_s
            self.notifier.tick(due_s)
        self.clock.now_s = end_s
        return self.sent[first:]


def test_the_line_is_sent_when_it_has_changed_and_not_often() -> None:
    told = Told(feed_within_s=0.0)
    assert told.after(0.0) == ["STATUS=ready; 0 filed, 0 waiting"]
    assert told.after(3600.0) == []
    told.monitor.sources = Sources(waiting=lambda: Waiting(3, more=True, since_s=3600.0))
    assert len(told.after(60.0)) == 60 / STATUS_S
    assert told.sent[-1] == "STATUS=ready; 0 filed, 3 or more waiting, oldest 60 s"


def test_it_is_fed_twice_in_its_time_while_no_stage_is_in_a_call() -> None:
    told = Told(feed_within_s=30.0)
    told.monitor.stage("file").begin()
    told.monitor.stage("file").end()
    assert told.after(3000.0).count("WATCHDOG=1") == 3000 / 15 + 1


def test_a_call_that_lasts_and_moves_nothing_stops_the_feeding_until_it_ends() -> None:
    told = Told(feed_within_s=30.0)
    told.monitor.stage("file").begin()
    assert told.after(STUCK_S).count("WATCHDOG=1") == STUCK_S / 15 + 1
    told.after(60.0)
    assert "WATCHDOG=1" not in told.after(3600.0)
    assert len(told.said) == 1
    assert told.said[0].startswith("stuck: the stage 'file' has been in one call for 2")
    told.monitor.stage("file").end()
    assert told.after(60.0).count("WATCHDOG=1") == 4
    assert told.said[1].startswith("no longer stuck; before, the stage 'file'")
    assert told.levels == [Level.ERROR, Level.NOTICE]


def test_a_call_that_moves_bytes_is_slow_and_not_stuck() -> None:
    told = Told()
    told.monitor.stage("file").begin()
    for _ in range(100):
        told.moved += 1
        assert "WATCHDOG=1" in told.after(60.0)
    assert told.said == []


def test_one_thread_that_hangs_beside_others_that_get_on_is_given_more_time() -> None:
    told = Told()
    read = told.monitor.stage("read")
    thread = threading.Thread(target=read.begin)
    thread.start()
    thread.join()
    for _ in range(int(HOPELESS_S // 60) + 1):
        read.begin()
        read.end()
        assert told.said == []
        told.after(60.0)
    assert told.said[0].startswith("stuck: the stage 'read' has been in one call for 9")


def test_the_kernel_tells_what_a_thread_has_moved(tmp_path: Path) -> None:
    before = bytes_moved(threading.get_ident())
    if before < 0:
        pytest.skip("this kernel does not count what threads read and write")
    write(tmp_path / "a", bytes(1000))
    assert bytes_moved(threading.get_ident()) >= before + 1000
    assert bytes_moved(0) == -1


def test_where_the_kernel_does_not_count_time_alone_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats_module, "STUCK_S", 10.0)
    clock = HandClock(0.0)
    one = Heartbeat(clock.monotonic_s)
    one.begin()
    clock.turn(9.0)
    assert one.stuck(clock.now_s, lambda _: -1) is None
    clock.turn(2.0)
    assert one.stuck(clock.now_s, lambda _: -1) == (threading.get_ident(), 11.0)

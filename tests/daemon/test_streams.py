"""Whoever reads what is said may be slow, stalled or gone, or nobody at all: the photos are filed all the same."""

import fcntl
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from daemon.process import sd_notify as notify
from daemon.status import log_queue as outlet
from daemon.status.log_queue import LogQueue
from tests.daemon.house import House
from tests.daemon.support import (
    DEADLINE_S,
    command,
    environment,
    model_file,
    plain,
    run,
    tree,
    unique,
    wait_until,
    write,
)

PHOTOS = 60
NAMES = [f"{number:02}-{'long' * 30}.jpg" for number in range(PHOTOS)]
HASTY = "import daemon.service, daemon.status.log\ndaemon.service.SORT_PATIENCE_S = daemon.status.log.END_S = 0.3\n"
"""A `sitecustomize` module: who reads nothing is not waited for long."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Yield what starts a verb over an inbox of photos, with an output of its own; nothing of it is left running."""
    started: list[subprocess.Popen[bytes]] = []
    (tmp_path / "in").mkdir()
    for number, name in enumerate(NAMES):
        write(tmp_path / "in" / name, unique("red", number), mtime_s=1.0)
    write(tmp_path / "sitecustomize.py", HASTY.encode())

    def start(verb: str, *words: str, shell: str = "", **streams: Any) -> "subprocess.Popen[bytes]":
        folders = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
        arguments = command(verb, *folders, *words)
        if shell:
            arguments = ["sh", "-c", f'exec "$@" {shell}', "sh", *arguments]
        env = environment(STATE_DIRECTORY=str(tmp_path / "state"))
        env["PYTHONPATH"] = os.pathsep.join((str(tmp_path), env["PYTHONPATH"]))
        process: subprocess.Popen[bytes] = subprocess.Popen(arguments, env=env, **streams)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def filed(folder: Path) -> int:
    return len(tree(folder / "out")) if (folder / "out").is_dir() else 0


def narrow_pipe() -> tuple[int, int]:
    """Return a pipe that holds one page, which are the lines of few photos."""
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, 4096)
    return reads, writes


@pytest.mark.parametrize("words", [(), ("--json",), ("--log-format", "json")])
def test_sort_files_all_and_ends_whoever_does_not_read(
    words: tuple[str, ...], tmp_path: Path, house: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    reads, writes = narrow_pipe()
    process = house("sort", *words, stdout=writes, stderr=subprocess.PIPE)
    os.close(writes)
    said = process.communicate(timeout=DEADLINE_S)[1].decode()
    assert (process.returncode, filed(tmp_path)) == (0, PHOTOS)
    missing = re.search(
        r"(\d+) lines are missing of standard output, because the reader stalled|\"lines\": (\d+)", said
    )
    assert missing, said
    assert 0 < int(missing[1] or missing[2]) <= PHOTOS + 2
    os.close(reads)


def test_watch_goes_on_and_ends_beside_a_reader_that_stalls_and_what_it_missed_comes_when_it_reads_again(
    tmp_path: Path, house: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    reads, writes = narrow_pipe()
    process = house("watch", "--json", stdout=writes)
    os.close(writes)
    wait_until(lambda: filed(tmp_path) == PHOTOS, "the photos that lay there")
    write(tmp_path / "in" / "late.jpg", unique("red", PHOTOS))
    wait_until(lambda: filed(tmp_path) == PHOTOS + 1, "one that comes")
    with open(reads, "rb") as lines:  # noqa: PTH123
        names = [Path(json.loads(lines.readline()).get("path", "ready")).name for _ in range(PHOTOS + 2)]
        assert sorted(names) == [*NAMES, "late.jpg", "ready"]
        assert (names[0], names[-1]) == ("ready", "late.jpg")
        for number in range(PHOTOS):
            write(tmp_path / "in" / f"{number}-more.jpg", unique("red", 100 + number), mtime_s=1.0)
        wait_until(lambda: filed(tmp_path) == 2 * PHOTOS + 1, "those that come while it stalls again")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0


def test_a_journal_that_stalls_holds_up_neither_the_start_nor_the_filing(
    tmp_path: Path, house: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.setblocking(False)
        with suppress(BlockingIOError):
            while theirs.send(b"x" * 4096):
                pass
        theirs.setblocking(True)
        process = house("watch", stdout=theirs.fileno(), stderr=theirs.fileno())
        wait_until(lambda: filed(tmp_path) == PHOTOS, "the photos")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize(
    ("verb", "shell", "words"),
    [
        *(("sort", shell, ()) for shell in ("<&-", ">&-", "2>&-", ">/dev/full", "2>/dev/full", "1</dev/null")),
        ("sort", "<&- >&- 2>&-", ("--decode-in", "processes")),
        ("sort", ">&-", ("--json",)),
        ("watch", "<&- >&- 2>&-", ("--decode-in", "processes")),
        ("watch", ">/dev/full 2>&1", ()),
    ],
)
def test_closed_full_and_wrong_streams_are_no_error(
    verb: str,
    shell: str,
    words: tuple[str, ...],
    tmp_path: Path,
    house: Callable[..., "subprocess.Popen[bytes]"],
) -> None:
    """No file gets the number of a stream that is closed: nothing is written into photos, ledger or pipes."""
    before = set(tree(tmp_path / "in").values())
    process = house(verb, *words, shell=shell, **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL))
    if verb == "watch":
        wait_until(lambda: filed(tmp_path) == PHOTOS, "the photos")
        held = {str(Path(f"/proc/{process.pid}/fd/{number}").readlink()) for number in range(3)}
        assert held <= {"/dev/null", "/dev/full"}
        process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_S) == 0
    assert set(tree(tmp_path / "out").values()) == before
    done = run("history", "--all", "--json", env={"STATE_DIRECTORY": str(tmp_path / "state")})
    assert len(done.stdout.splitlines()) == PHOTOS


@pytest.mark.parametrize("verb", ["sort", "watch"])
def test_a_reader_that_goes_after_one_line_costs_no_photo(
    verb: str, tmp_path: Path, house: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    process = house(verb, shell="2>&1", stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline()
    wait_until(lambda: filed(tmp_path) == PHOTOS, "the photos")
    if verb == "watch":
        process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_S) == 0


def test_a_terminal_that_is_stopped_under_a_progress_bar_holds_nothing_up(
    tmp_path: Path, house: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    for number in range(300):  # a terminal takes 4 to 20 kB before it is full
        write(tmp_path / "in" / f"{number}-more-{NAMES[0]}", unique("red", 100 + number), mtime_s=1.0)
    ours, theirs = pty.openpty()
    process = house("sort", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    wait_until(lambda: filed(tmp_path) == PHOTOS + 300, "the photos")
    assert process.wait(DEADLINE_S) == 0
    os.close(ours)


def test_lines_stand_whole_above_the_progress_bar(
    tmp_path: Path, house: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    ours, theirs = pty.openpty()
    process = house("sort", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 1 << 16):
            shown += part
    except OSError:
        pass  # EIO: the other end is closed
    assert process.wait(DEADLINE_S) == 0
    os.close(ours)
    lines = [line.rpartition(b"\x1b[2K")[2] for line in shown.split(b"\r\n")]
    names = sorted(line.split()[0].decode() for line in lines if b" -> red 1.00 " in line)
    assert names == NAMES
    assert f"{PHOTOS}/{PHOTOS}".encode() in shown
    assert any(line.startswith(b"sorted 60 photos in ") for line in lines)


@pytest.mark.parametrize("verb", ["sort", "watch"])
def test_a_terminal_that_goes_away_costs_no_photo(
    verb: str, tmp_path: Path, house: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    ours, theirs = pty.openpty()
    process = house(verb, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    if verb == "watch":
        wait_until(lambda: filed(tmp_path) == PHOTOS, "the photos")
    os.close(ours)
    write(tmp_path / "in" / "late.jpg", unique("red", PHOTOS), mtime_s=1.0)
    wait_until(lambda: filed(tmp_path) == PHOTOS + 1, "the photos")
    if verb == "watch":
        process.send_signal(signal.SIGHUP)  # as from a login that ends
    assert process.wait(DEADLINE_S) == 0


def opened(descriptor: int, patience_s: float = DEADLINE_S) -> LogQueue:
    one = LogQueue(descriptor, lambda missing: f"[{missing} missing]\n".encode(), patience_s=patience_s)
    os.close(descriptor)
    return one


def lines(first: int, end: int, *, matters: bool = False) -> list[tuple[bytes, bool]]:
    """Return lines of 100 bytes each."""
    return [(f"{number:099}\n".encode(), matters) for number in range(first, end)]


def read_all(reads: int) -> list[str]:
    with open(reads, "rb") as stream:
        return [line.decode().strip().lstrip("0") or "0" for line in stream]


def full(one: LogQueue) -> int:
    """Fill the pipe, and the hand of the thread that writes; returns how many lines that were."""
    for number in range(41):
        one.put(lines(number, number + 1))
        wait_until(lambda: not one._waiting, "the thread")
    return 41


@contextmanager
def reader(reads: int) -> Iterator[list[str]]:
    """Yield the lines that come until the end, once the block is over."""
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.extend(read_all(reads)))
    thread.start()
    yield got
    thread.join(DEADLINE_S)


def test_what_is_left_out_is_counted_where_it_is_missing_and_what_matters_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outlet, "MOST_BYTES", 8_000)
    monkeypatch.setattr(outlet, "SPARE_BYTES", 1_000)
    reads, writes = narrow_pipe()
    one = opened(writes)
    one.put(lines(full(one), 200))
    one.put(lines(200, 203, matters=True))
    one.put(lines(203, 210))
    with reader(reads) as got:
        assert one.close() == 0
    fit = [str(number) for number in range(41 + 70)]
    assert got == [*fit, "[89 missing]", "200", "201", "202", "[7 missing]"]


def test_of_too_many_lines_that_matter_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "MOST_BYTES", 1_000)
    monkeypatch.setattr(outlet, "SPARE_BYTES", 100)
    reads, writes = narrow_pipe()
    one = opened(writes)
    one.put(lines(full(one), 60))
    one.put(lines(60, 200, matters=True))
    with reader(reads) as got:
        assert one.close() == 0
    assert got[41:] == ["[149 missing]", *(str(number) for number in range(190, 200))]


def test_once_lines_were_left_out_none_is_taken_before_half_the_room_is_free_or_there_would_be_many_gaps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outlet, "MOST_BYTES", 16_000)
    monkeypatch.setattr(outlet, "SPARE_BYTES", 1_000)
    reads, writes = narrow_pipe()
    one = opened(writes)
    one.put(lines(full(one), 200))  # of which 150 fit
    os.read(reads, 4_000)
    wait_until(lambda: one._bytes < 15_000, "the thread, which goes on")
    one.put(lines(200, 201))
    with reader(reads) as got:
        assert one.close() == 0
    assert got[-2:] == [str(41 + 150 - 1), "[10 missing]"]


def test_a_few_bytes_that_are_read_are_a_sign_of_life() -> None:
    reads, writes = narrow_pipe()
    one = opened(writes, patience_s=10.0)
    full(one)
    assert one._reads_on(0.0)
    os.read(reads, 7)
    assert one._reads_on(11.0)
    assert one._reads_on(20.0)
    assert not one._reads_on(22.0)
    with reader(reads):
        wait_until(lambda: one.flush() == 0, "the reader")
        one.close()


def test_a_reader_that_is_waited_for_gets_every_line_however_slow_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "MOST_BYTES", 2_000)
    monkeypatch.setattr(outlet, "SPARE_BYTES", 100)
    reads, writes = narrow_pipe()
    got: list[bytes] = []

    def read_slowly() -> None:
        while part := os.read(reads, 1_000):
            got.append(part)
            time.sleep(0.01)

    thread = threading.Thread(target=read_slowly)
    thread.start()
    one = opened(writes)
    for number in range(300):
        one.put(lines(number, number + 1), wait=True)
    assert one.close() == 0
    thread.join(DEADLINE_S)
    os.close(reads)
    assert b"".join(got) == b"".join(line for line, _ in lines(0, 300))


def test_one_that_reads_nothing_is_waited_for_once_and_again_when_it_has_read_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outlet, "MOST_BYTES", 2_000)
    monkeypatch.setattr(outlet, "SPARE_BYTES", 100)
    reads, writes = narrow_pipe()
    one = opened(writes, patience_s=0.2)
    began_s = time.monotonic()
    one.put(lines(full(one), 200), wait=True)
    assert time.monotonic() - began_s >= 0.2
    with reader(reads) as got:
        wait_until(lambda: one.flush() == 0, "the reader")
        one.put(lines(200, 250), wait=True)
        wait_until(lambda: one.flush() == 0, "the reader")
        one.close()
    assert got[-50:] == [str(number) for number in range(200, 250)]


def test_a_stream_that_another_process_made_unblocking_loses_nothing() -> None:
    reads, writes = narrow_pipe()
    os.set_blocking(writes, False)
    one = opened(writes)
    one.put(lines(0, 300))
    with reader(reads) as got:
        assert one.close() == 0
    assert got == [str(number) for number in range(300)]


def test_a_pipe_whose_reader_is_started_again_gets_lines_again_with_the_number_of_those_it_missed(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "log")
    reads = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    one = opened(os.open(tmp_path / "log", os.O_WRONLY))
    os.close(reads)
    one.put(lines(0, 3))
    assert one.flush() == 0
    reads = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    one.put(lines(3, 5))
    assert one.close() == 0
    assert read_all(reads) == ["[3 missing]", "3", "4"]


def test_the_last_word_is_written_before_the_process_ends_at_once(tmp_path: Path) -> None:
    script = (
        "import os, pathlib\nfrom daemon.status.report import Report\n"
        "report = Report(pathlib.Path('out'), as_json=False, quiet=False)\n"
        "for number in range(1000): report.say(f'sentence {number}')\n"
        "report.last_word('stuck: the last one')\nos._exit(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE_S, env=environment()
    )
    assert done.stderr.splitlines() == [*(f"sentence {number}" for number in range(1000)), "stuck: the last one"]


def tell_much() -> None:
    for number in range(2_000):
        notify.notify(f"STATUS={number}")


def test_a_supervisor_that_takes_no_message_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "PATIENCE_S", 0.0001)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        told = threading.Thread(target=tell_much, daemon=True)
        told.start()
        told.join(DEADLINE_S / 6)
        assert not told.is_alive()


def gone() -> int:
    """Return a pipe that nobody reads any more."""
    reads, writes = os.pipe()
    os.close(reads)
    return writes


@pytest.mark.parametrize(
    "words",
    [("history", "--json"), ("history",), ("explain", "PHOTO"), ("explain", "PHOTO", "--json"), ("inspect",),
     ("doctor",), ("undo", "--last", "1"), ("undo", "--last", "1", "--json"), ("status",), ("status", "--json")],
)  # fmt: skip
def test_an_answer_that_nobody_reads_any_more_ends_quietly_and_one_that_cannot_be_written_with_a_sentence(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    one = House(tmp_path / "house")
    places = [one.file(f"{number}.jpg", at_s=number) for number in (1, 2)]
    words = tuple(word.replace("PHOTO", str(places[0])) for word in words)
    ended = quiet(words, gone())
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, "")
    assert places[1].exists() == (words[0] != "undo")
    full = quiet(words, os.open("/dev/full", os.O_WRONLY))
    assert full.returncode == 1
    assert full.stderr == "phototriage: Standard output cannot be written ([Errno 28] No space left on device).\n"
    assert places[0].exists() == (words[0] != "undo")


def quiet(words: tuple[str, ...], stdout: int) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command(*words), stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S, env=environment()
        )
    finally:
        os.close(stdout)


@pytest.mark.parametrize("shell", ["2>&-", "2>/dev/full", "<&-", ">&- 2>&-"])
def test_a_command_does_its_work_and_keeps_its_exit_code_without_streams(shell: str, tmp_path: Path) -> None:
    one = House(tmp_path / "house")
    place = one.file("1.jpg")
    arguments = ["sh", "-c", f'exec "$@" {shell}', "sh", *command("undo", "--last", "1")]
    done = subprocess.run(arguments, capture_output=True, timeout=DEADLINE_S, env=environment())
    assert (done.returncode, place.exists(), (one.inbox / "1.jpg").read_bytes()) == (0, False, plain("red") + b"1.jpg")
    assert subprocess.run(arguments, capture_output=True, timeout=DEADLINE_S, env=environment()).returncode == 0

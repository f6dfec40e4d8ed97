"""`phototriage status` asks the process and, when that is down, the ledger; nobody who asks holds up the daemon."""

import json
import os
import re
import resource
import select
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.labels.looker import LOCK
from daemon.ledger import schema
from daemon.ledger.intent import Intent
from daemon.ledger.labels.events import Event, How, record
from daemon.ledger.schema import MIGRATIONS
from daemon.ledger.totals import totals
from daemon.photo import Outcome
from daemon.process.clock import Clock, local
from daemon.review import ReviewReason
from daemon.status import server as listener_module
from daemon.status.monitor import Monitor
from daemon.status.server import ACCEPT_PAUSE_S, MAX_CALLERS, PATIENCE_S, REQUEST_BYTES, TEXT, Answer, StatusServer
from daemon.status.status_thread import LAST_STATUS, StatusThread
from daemon.status.unix_socket import SOCKET_NAME, BusyError, ListeningSocket, SocketError, connect
from tests.daemon.house import House, ask
from tests.daemon.support import daemon, identity, model_file, opened_ledger, plain, run, wait_until, write


def options(folder: Path) -> tuple[str | Path, ...]:
    (folder / "in").mkdir()
    return ("--inbox", folder / "in", "--output", folder / "out", "--model", model_file(folder))


@pytest.fixture
def deep(tmp_path: Path) -> dict[str, str]:
    """A state folder whose path is longer than the name of a socket may be."""
    return {"STATE_DIRECTORY": str(tmp_path / ("x" * 100) / ("y" * 100))}


def told(env: dict[str, str], code: int = 0) -> dict[str, Any]:
    done = run("status", "--json", env=env)
    assert done.returncode == code, done.stdout + done.stderr
    (line,) = done.stdout.splitlines()
    facts: dict[str, Any] = json.loads(line)
    return facts


def drop(folder: Path, **photos: bytes) -> None:
    for name, data in photos.items():
        write(folder / "new", data).rename(folder / "in" / f"{name}.jpg")


def test_a_daemon_at_work_says_how_it_is_and_one_that_is_down_leaves_it_to_its_ledger(
    tmp_path: Path, deep: dict[str, str]
) -> None:
    words = options(tmp_path)
    state = Path(deep["STATE_DIRECTORY"])
    with daemon(*words, env=deep) as running:
        running.ready()
        drop(tmp_path, a=plain("red"), b=plain("blue"), bad=plain("red")[:300])
        running.photos({"a.jpg", "b.jpg", "bad.jpg"})
        wait_until(lambda: told(deep)["waiting"]["photos"] == 1, "the intake to hear that two ways are over")
        facts = told(deep)
        assert (facts["state"], facts["provider"], facts["filed"]) == ("ready", "cpu", 2)
        assert facts["classes"] == {"red": 1, "blue": 1}
        assert facts["waiting"]["photos"] == 1
        assert 0.0 < facts["waiting"]["oldest_s"] < 60.0
        assert facts["last_error"]["error"].startswith("bad.jpg: ")
        assert facts["stages"]["infer"]["count"] == facts["stages"]["total"]["up_to_s"]["+Inf"] == 2
        assert facts["model"]["file"] == str(tmp_path / "colours.onnx")
        assert stat.S_IMODE((state / SOCKET_NAME).stat().st_mode) == 0o660
        shown = run("status", "--inbox", tmp_path / "in", env=deep)
        assert shown.returncode == 0
        assert "state       ready on cpu\n" in shown.stdout
        assert "filed       2 since the start: " in shown.stdout
        assert "in all      2, 2 of them today: " in shown.stdout
        assert "waiting     1, oldest " in shown.stdout
        assert running.stop() == 0
    assert not (state / SOCKET_NAME).exists()
    facts = told(deep, code=1)
    assert (facts["state"], facts["why"], facts["filed"], facts["in_inbox"]) == ("ended", "", 2, 1)
    assert facts["stopped_at_s"] > facts["last_filed_at_s"]
    assert "state       ended 2" in run("status", env=deep).stdout


def test_a_service_that_ended_is_missed_and_so_is_one_that_an_error_ended(tmp_path: Path, deep: dict[str, str]) -> None:
    words = options(tmp_path)
    with daemon(*words, env=deep | {"NOTIFY_SOCKET": str(tmp_path / "nobody listens")}) as service:
        service.ready()
        assert told(deep)["supervised"] is True
        assert service.stop() == 0
    assert told(deep, code=1)["state"] == "not running"
    assert "state       not running since 2" in run("status", env=deep).stdout
    last_word = Path(deep["STATE_DIRECTORY"]) / LAST_STATUS
    facts = json.loads(last_word.read_text())
    for end, state in (({"supervised": False}, "ended"), ({"supervised": False, "state": "ready"}, "not running")):
        last_word.write_text(json.dumps(facts | end))
        assert told(deep, code=1)["state"] == state


def test_a_daemon_that_was_killed_is_down_and_the_next_takes_its_place(tmp_path: Path, deep: dict[str, str]) -> None:
    words = options(tmp_path)
    with daemon(*words, env=deep) as killed:
        killed.ready()
        killed.process.kill()
        killed.process.wait()
    facts = told(deep, code=1)
    assert (facts["state"], facts["why"]) == ("not running", "the process was killed: its socket is left over")
    stale = {"at_s": 1.0, "last_error": None, "model": None, "state": "stopping", "supervised": False}
    write(Path(deep["STATE_DIRECTORY"]) / LAST_STATUS, json.dumps(stale).encode())  # of the run before, not removed
    assert told(deep, code=1)["state"] == "not running"
    with daemon(*words, env=deep) as running:
        running.ready()
        assert told(deep)["state"] == "ready"


def test_a_second_daemon_hears_of_the_first_in_one_sentence_and_leaves_it_its_socket(
    tmp_path: Path, deep: dict[str, str]
) -> None:
    words = options(tmp_path)
    with daemon(*words, env=deep) as running:
        running.ready()
        done = run("watch", *words, env=deep)
        assert done.returncode == 1
        assert done.stderr.startswith("phototriage: Another phototriage is already running on ")
        assert told(deep)["pid"] == running.process.pid


def test_a_paused_daemon_says_why_and_what_waits(tmp_path: Path, deep: dict[str, str]) -> None:
    with daemon(*options(tmp_path), env=deep) as running:
        running.ready()
        (tmp_path / "out" / ".phototriage").unlink()
        drop(tmp_path, a=plain("red"))
        running.until(lambda event: event["event"] == "photo", "the photo that is held up")
        facts = told(deep, code=1)
        assert facts["state"] == "paused"
        assert facts["why"].startswith("the output has lost its marker")
        assert facts["waiting"]["photos"] == 1
    assert facts["outcomes"]["again"] >= 1
    assert facts["filed"] == 0


def test_a_process_that_does_not_answer_is_not_taken_for_one_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("daemon.status.client.TIMEOUT_S", 0.05)
    house = House(tmp_path / "house")
    house.file("a.jpg")
    with closing(ListeningSocket(house.path.parent)):  # nobody accepts
        result = ask("status")
    assert result.exit_code == 1
    assert "state       does not answer: the process did not answer within 0 s\n" in result.stdout
    assert "filed       1 in all, 0 of them today: sea 1\n" in result.stdout


def test_what_undo_took_back_is_counted_as_taken_back_and_no_failure_as_filed_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    house, now_s = House(tmp_path / "house"), time.time()
    for name, at_s, label, outcome in (
        ("a.jpg", now_s - 3 * 86_400, "sea", Outcome.FILED),
        ("b.jpg", now_s - 2 * 86_400, "sea", Outcome.FILED),
        ("c.jpg", now_s, "street", Outcome.FILED),
        ("d.jpg", now_s, "street", Outcome.REVIEW),
        ("e.jpg", now_s + 1, "", Outcome.FAILED),
    ):
        house.file(name, at_s, label, outcome, **({"reason": "truncated"} if outcome is Outcome.FAILED else {}))

    def known() -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(ask("status", "--json").stdout)
        return {key: facts[key] for key in ("filed", "today", "classes", "outcomes", "held", "in_inbox")}

    at_first = {"filed": 3, "today": 1, "classes": {"sea": 2, "street": 1}, "held": 0, "in_inbox": 0}
    assert known() == at_first | {"outcomes": {"filed": 3, "review": 1, "failed": 1}}
    shown = ask("status").stdout
    assert f"last filed  {local(now_s):%Y-%m-%d %H:%M:%S}," in shown
    ask("undo", "--label", "sea")
    ask("undo", "--last", "1")  # a failure
    outcomes = {"filed": 1, "review": 1, "undone": 3}
    after = {"filed": 1, "today": 1, "classes": {"street": 1}, "held": 3, "in_inbox": 3}
    assert known() == after | {"outcomes": outcomes}
    shown = ask("status").stdout
    assert "filed       1 in all, 1 of them today: street 1\n" in shown
    assert "taken back  3, left alone in the inbox until they change, or until `phototriage retry --undone`\n" in shown
    assert "failed" not in shown
    ask("retry", "--undone")
    assert known() == after | {"outcomes": outcomes, "held": 0}
    for folder in ("trip", "trip/day 2", ".hidden"):
        (house.inbox / folder).mkdir()
        write(house.inbox / folder / "f.jpg", b"f")
    assert "in inbox    3 files, and 2 in folders inside it\n" in ask("status").stdout


def test_labels_open_questions_and_the_age_of_the_last_look_are_told_and_no_look_is_begun(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    assert "  labels  " not in ask("status").stdout
    with opened_ledger(house.path) as ledger, ledger._transaction():
        for number, said in enumerate(("street", "street", "_other", "sea", "")):
            event = Event(How.ADD, None, f"{number:064}", f"{number}.jpg", "", 0.0, "", said)
            record(ledger._connection, 100.0, event)
        asked = (
            "INSERT INTO questions (at, why, left, entered, photos, answered_at) VALUES (1.0, 'many', '', '', 60, ?)"
        )
        ledger._connection.executemany(asked, [(None,), (2.0,)])
    look = write(house.path.parent / LOCK, b"", mtime_s=time.time() - 40.0)
    before = {path.name: path.stat().st_mtime_ns for path in house.path.parent.iterdir()}
    shown = ask("status").stdout
    assert re.search(r"  labels      4: street 2, (none of the classes|sea) 1, .* 1; last look 4\d s ago\n", shown), (
        shown
    )
    assert "  asks        1 question about many photos that were moved at once: phototriage labels\n" in shown
    facts = json.loads(ask("status", "--json").stdout)["labels"]
    assert facts == {
        "classes": {"_other": 1, "sea": 1, "street": 2}, "questions": 1, "last_look_at_s": look.stat().st_mtime,
        "unlearnt": None, "filed": 0, "corrected": 0, "filed_before": 0, "corrected_before": 0,
        "audited": 0, "accuracy": 0.0, "accuracy_low": 0.0, "accuracy_high": 1.0,
    }  # fmt: skip
    assert {path.name: path.stat().st_mtime_ns for path in house.path.parent.iterdir()} == before


def test_a_million_rows_are_counted_without_being_read(tmp_path: Path) -> None:
    with opened_ledger(tmp_path / "ledger.sqlite") as ledger:
        connection = ledger._connection
        (row,) = ledger.intend([Intent(Outcome.FILED, Path("/in/a"), Path("/out/a"), identity(), "00", "sea")], 100.0)
        ledger.conclude({row: Outcome.FILED}, 100.0)
        columns = [column[1] for column in connection.execute("PRAGMA table_info(photos)")]
        values = ", ".join({"id": "n", "intended_at": "n", "concluded_at": "n"}.get(name, name) for name in columns)
        connection.execute(
            "WITH RECURSIVE count(n) AS (SELECT 101 UNION ALL SELECT n + 1 FROM count WHERE n < 30000) "
            f"INSERT INTO photos ({', '.join(columns)}) SELECT {values} FROM photos, count WHERE id = 1"
        )
        steps = [0]

        def stepped() -> None:
            steps[0] += 1

        connection.set_progress_handler(stepped, 1000)
        assert totals(connection, 29_901.0).today == 100
        assert steps[0] < 20  # thousands of steps of SQLite; 29,900 rows take hundreds


def test_an_old_ledger_is_counted_once_when_it_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.sqlite"
    counting = tuple(script for script in MIGRATIONS if "UPDATE totals" in script)
    before = tuple(script for script in MIGRATIONS if script not in counting)  # an insert needs the columns of today
    with monkeypatch.context() as old:
        old.setattr(schema, "MIGRATIONS", before)
        with opened_ledger(path) as ledger:
            was = Intent(Outcome.FILED, Path("/in/a"), Path("/out/a"), identity(), "00", "sea")
            unsure = replace(was, becomes=Outcome.REVIEW, review_reason=ReviewReason.UNSURE)
            rows = ledger.intend([was, was, replace(was, becomes=Outcome.FAILED, label=""), was, unsure, unsure], 1.0)
            ledger.conclude({rows[0]: Outcome.FILED, rows[1]: Outcome.FILED, rows[2]: Outcome.FAILED}, 1.0)
            ledger.conclude(dict.fromkeys(rows[4:], Outcome.REVIEW), 1.0)
            (undo,) = ledger.intend([replace(was, becomes=Outcome.UNDONE, undoes=rows[0])], 2.0)
            ledger.conclude({undo: Outcome.UNDONE}, 2.0)
    monkeypatch.setattr(schema, "MIGRATIONS", (*before, *counting))
    with opened_ledger(path) as ledger:
        assert totals(ledger._connection, 0.0).outcomes == {"filed": 1, "failed": 1, "undone": 1, "review": 2}
        ledger.conclude({rows[3]: Outcome.FILED}, 3.0)
        (again,) = ledger.intend([replace(unsure, becomes=Outcome.RETRIED, undoes=rows[4])], 4.0)
        ledger.conclude({again: Outcome.RETRIED}, 4.0)
        (stranger,) = ledger.intend([replace(unsure, review_reason=ReviewReason.UNFAMILIAR)], 5.0)
        ledger.conclude({stranger: Outcome.REVIEW}, 5.0)
        counted = totals(ledger._connection, 0.0)
        assert counted.outcomes == {"filed": 2, "failed": 1, "undone": 1, "retried": 1, "review": 2}
        assert counted.reviews == {"unsure": 1, "unfamiliar": 1}


def test_names_are_printed_without_what_a_terminal_would_obey(tmp_path: Path, deep: dict[str, str]) -> None:
    with daemon(*options(tmp_path), env=deep) as running:
        running.ready()
        write(tmp_path / "new", plain("red")[:300]).rename(tmp_path / "in" / "\x1b[2J.jpg")
        running.until(lambda event: event["event"] == "photo", "the photo that cannot be read")
        shown = run("status", env=deep).stdout
    assert r"\x1b[2J.jpg: " in shown
    assert "\x1b" not in shown


def test_where_nothing_is_known_the_answer_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    done = run("status", "--inbox", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"phototriage: There is no ledger of {tmp_path} ")


def test_what_is_no_socket_is_not_touched_nor_followed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    target = write(tmp_path / "precious", b"data")
    for make in (lambda: (state / SOCKET_NAME).symlink_to(target), lambda: write(state / SOCKET_NAME, b"data")):
        make()
        with pytest.raises(SocketError, match="is no socket of phototriage"):
            ListeningSocket(state)
        assert (state / SOCKET_NAME).read_bytes() == target.read_bytes() == b"data"
        (state / SOCKET_NAME).unlink()


def test_a_link_to_a_socket_is_not_asked(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as other:
        other.bind(str(tmp_path / "other"))
        other.listen()
        (tmp_path / SOCKET_NAME).symlink_to(tmp_path / "other")
        with pytest.raises(FileNotFoundError):
            connect(tmp_path, 1.0)


def test_the_socket_of_a_daemon_that_lives_is_left_to_it(tmp_path: Path) -> None:
    with closing(ListeningSocket(tmp_path)):
        with pytest.raises(BusyError, match="Another phototriage listens"):
            ListeningSocket(tmp_path)
        assert (tmp_path / SOCKET_NAME).is_socket()
    assert not (tmp_path / SOCKET_NAME).exists()
    with closing(ListeningSocket(tmp_path)):
        (tmp_path / SOCKET_NAME).unlink()
        write(tmp_path / SOCKET_NAME, b"somebody else's")
    assert (tmp_path / SOCKET_NAME).exists()


class Desk:
    """A listener that is served by hand, at times of the test's choice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers = 0
        self.listener = StatusServer(ListeningSocket(folder), self._answer)

    def _answer(self, path: str) -> Answer | None:
        self.answers += 1
        return Answer("200 OK", TEXT, b"x" * 1_000_000) if path == "/status" else None

    def call(self, words: bytes = b"") -> socket.socket:
        caller = connect(self.folder, 5.0)
        caller.sendall(words)
        return caller

    def work(self, now_s: float = 0.0) -> None:
        """Do all that can be done without waiting."""
        self.listener.tick(now_s)
        while ready := self._ready():
            for number in ready:
                self.listener.serve(number, now_s)

    def _ready(self) -> list[int]:
        poller = select.poll()
        for number, event in self.listener.interests():
            poller.register(number, event)
        return [number for number, _ in poller.poll(0)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path)
    yield one
    one.listener.close()


def hung_up(caller: socket.socket) -> bool:
    caller.settimeout(0.0)
    try:
        return caller.recv(1) == b""
    except ConnectionResetError:
        return True
    except BlockingIOError:
        return False


def test_a_caller_who_says_nothing_or_does_not_read_is_dropped_in_time(desk: Desk) -> None:
    with closing(desk.call()) as silent, closing(desk.call(b"GET /status HTTP/1.0\r\n\r\n")) as deaf:
        desk.work(0.0)
        assert desk.listener.due_s() == PATIENCE_S
        assert not hung_up(silent)
        desk.work(PATIENCE_S)
        assert hung_up(silent)
        assert len(list(desk.listener.interests())) == 1
        deaf.settimeout(5.0)
        assert deaf.recv(10) == b"HTTP/1.0 2"


def test_a_caller_who_cannot_be_taken_keeps_nobody_busy_and_is_answered_later(desk: Desk) -> None:
    caller = desk.call(b"GET /status HTTP/1.0\r\n\r\n")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    with caller:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
        try:
            for number, _ in list(desk.listener.interests()):
                desk.listener.serve(number, 0.0)
            assert list(desk.listener.interests()) == []
            assert desk.listener.due_s() == ACCEPT_PAUSE_S
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        desk.work(ACCEPT_PAUSE_S)
        caller.settimeout(5.0)
        assert caller.recv(10) == b"HTTP/1.0 2"


def test_whoever_calls_too_much_crowds_out_himself(desk: Desk) -> None:
    crowd = [desk.call() for _ in range(MAX_CALLERS + 3)]
    desk.work()
    assert [hung_up(caller) for caller in crowd] == [True] * 3 + [False] * MAX_CALLERS
    with closing(desk.call(b"GET /nothing HTTP/1.0\r\n\r\n")) as proper:
        desk.work()
        assert proper.recv(100).startswith(b"HTTP/1.0 404 ")
    for caller in crowd:
        caller.close()


@pytest.mark.parametrize(
    ("words", "begin"),
    [
        (b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.0 200 OK\r\n"),
        (b"GET /status?a=b HTTP/1.0\n\n", b"HTTP/1.0 200 OK\r\n"),
        (b"GET /../status HTTP/1.0\r\n\r\n", b"HTTP/1.0 404 "),
        (b"POST /status HTTP/1.0\r\n\r\n", b"HTTP/1.0 400 "),
        (b"\xff\x00\r\n\r\n", b"HTTP/1.0 400 "),
        (b"x" * REQUEST_BYTES, b""),
    ],
)
def test_a_question_is_answered_or_refused(desk: Desk, words: bytes, begin: bytes) -> None:
    with closing(desk.call(words)) as caller:
        desk.work()
        caller.settimeout(5.0)
        try:
            assert caller.recv(len(begin) or 1) == begin
        except ConnectionResetError:
            assert begin == b""


def test_many_questions_cost_few_answers(desk: Desk) -> None:
    for _ in range(50):
        with closing(desk.call(b"GET /status HTTP/1.0\r\n\r\n")):
            desk.work(0.1)
    assert desk.answers == 1
    with closing(desk.call(b"GET /status HTTP/1.0\r\n\r\n")):
        desk.work(0.2 + listener_module.CACHE_S)
    assert desk.answers == 2


def test_a_keeper_ends_with_callers_on_the_line_and_removes_its_socket(tmp_path: Path) -> None:
    clock = Clock()
    said: list[str] = []
    with StatusThread(Monitor(clock), [], clock, said.append) as status:
        status.listen(tmp_path / "not yet")
        status.listen(tmp_path)
        status.listen(tmp_path)
        with closing(connect(tmp_path, 5.0)) as silent, closing(connect(tmp_path, 5.0)) as proper:
            proper.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            assert proper.recv(8) == b"HTTP/1.0"
            silent.sendall(b"GET")
    assert said == []
    assert not (tmp_path / SOCKET_NAME).exists()
    assert json.loads((tmp_path / "stopped.json").read_text())["state"] == "starting"


def test_a_daemon_with_many_silent_callers_files_and_answers(tmp_path: Path, deep: dict[str, str]) -> None:
    with daemon(*options(tmp_path), env=deep) as running:
        running.ready()
        callers = [connect(Path(deep["STATE_DIRECTORY"]), 5.0) for _ in range(3 * MAX_CALLERS)]
        drop(tmp_path, a=plain("red"))
        running.photos({"a.jpg"})
        assert told(deep)["filed"] == 1
        for caller in callers:
            caller.close()
        assert running.stop() == 0

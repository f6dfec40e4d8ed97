"""A line for each event that matters: as a sentence, as pairs or as JSON, with the journal's priorities, said once."""

import json
import os
import re
import shlex
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from common.errors import PhotoError, Reason
from daemon.files.identity import Identity, photo_id
from daemon.files.open_writers import HELD
from daemon.photo import Outcome, Photo
from daemon.process.log_level import Level
from daemon.status.log import is_journal, keyvalue
from daemon.status.obstacles import OwnProblems
from daemon.status.report import Report
from tests.daemon.support import DEADLINE_S, command, environment, identity, model_file, photo_of, plain, run, write


def sorted_once(folder: Path, *words: str, **photos: bytes) -> "subprocess.CompletedProcess[str]":
    (folder / "in").mkdir()
    for name, data in photos.items():
        write(folder / "in" / f"{name}.jpg", data)
    options = ("--inbox", folder / "in", "--output", folder / "out", "--model", model_file(folder))
    env = {"STATE_DIRECTORY": str(folder / "state")}
    return run("sort", *options, "--give-up-after", "0", *words, env=env)


def test_json_lines_carry_level_id_and_facts_and_the_ledger_knows_the_same_id(tmp_path: Path) -> None:
    done = sorted_once(tmp_path, "--log-format", "json", good=plain("red"), bad=plain("red")[:300])
    assert done.returncode == 0, done.stderr
    photos = {Path(line["path"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    assert [(photos[name]["level"], photos[name]["outcome"]) for name in ("good.jpg", "bad.jpg")] == [
        ("info", "filed"), ("warning", "failed"),
    ]  # fmt: skip
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert events == ["ready", "summary"]
    env = {"STATE_DIRECTORY": str(tmp_path / "state")}
    rows = [json.loads(line) for line in run("history", "--json", env=env).stdout.splitlines()]
    assert {row["id"] for row in rows} == {line["id"] for line in photos.values()}
    told = run("explain", tmp_path / "out" / "red" / "good.jpg", env=env).stdout
    assert f"as {photos['good.jpg']['id']} in the log" in " ".join(told.split())


def test_pairs_can_be_taken_apart_again(tmp_path: Path) -> None:
    done = sorted_once(tmp_path, "--log-format", "keyvalue", **{'a "b" = c\x1b[2J': plain("red")})
    (line,) = done.stdout.splitlines()
    pairs = dict(word.split("=", 1) for word in shlex.split(line))
    assert (pairs["level"], pairs["event"], pairs["outcome"], pairs["label"]) == ("info", "photo", "filed", "red")
    assert pairs["path"] == str(tmp_path / "in" / 'a "b" = c') + r"\x1b[2J.jpg"
    assert float(pairs["times_ms.infer"]) > 0
    assert "\x1b" not in done.stdout + done.stderr
    assert re.search(r"^time=\S+ level=notice event=ready model=\S+/colours.onnx sha256=", done.stderr, re.MULTILINE)


def test_json_for_scripts_stays_what_it_was_whatever_the_log_is(tmp_path: Path) -> None:
    done = sorted_once(tmp_path, "--json", "--log-format", "keyvalue", a=plain("red"))
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["ready", "photo", "summary"]
    assert "time" not in json.loads(done.stdout.splitlines()[0])


@pytest.mark.parametrize(
    ("facts", "pairs"),
    [
        ({"a": 1, "b": "x y", "c": "", "d": None, "e": []}, 'a=1 b="x y"'),
        ({"a": "=", "b": '"', "c": "\\"}, r'a="=" b="\"" c="\\"'),
        ({"a": {"b": 0.5, "c": {"d": 0}}, "e": ["x", "y"]}, "a.b=0.5 a.c.d=0 e=x,y"),
        ({"left in the box": 1, 'a"=': 2}, "left_in_the_box=1 a__=2"),
        ({"a": "new\nline\x1b"}, r'a="new\\x0aline\\x1b"'),
    ],
)
def test_a_value_is_quoted_where_it_needs_it(facts: dict[str, object], pairs: str) -> None:
    assert keyvalue(facts) == pairs


def test_lines_for_the_journal_begin_with_their_priority(tmp_path: Path) -> None:
    """The journal's stream is here a socket whose device and inode the environment names, as systemd does it."""
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.jpg", plain("red"))
    write(tmp_path / "in" / "b.jpg", plain("red")[:300])
    words = ("sort", "--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        status = os.fstat(theirs.fileno())
        env = environment(JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}", STATE_DIRECTORY=str(tmp_path / "state"))
        arguments = command(*words, "--give-up-after", "0")
        done = subprocess.run(arguments, stdout=theirs.fileno(), stderr=theirs.fileno(), timeout=DEADLINE_S, env=env)
        theirs.shutdown(socket.SHUT_RDWR)
        text = b"".join(iter(lambda: ours.recv(1 << 16), b"")).decode()
    assert done.returncode == 0, text
    lines = sorted(text.splitlines())
    assert [line[:3] for line in lines] == ["<4>", "<5>", "<5>", "<5>", "<6>"]
    assert lines[0].startswith("<4>b.jpg -> _failed: ")
    assert lines[-1].startswith("<6>a.jpg -> red 1.00 ")


def test_a_sentence_has_the_level_that_its_reporter_passed_whatever_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("daemon.status.log.is_journal", lambda _: True)
    with closing(Report(tmp_path / "out", as_json=False, quiet=True)) as report:
        report.say("stuck and stopped")
        report.say("the inbox is back", Level.NOTICE)
        report.say("what arrives is announced", Level.NOTICE)
        report.say("a stage hangs", Level.ERROR)
    assert [line[:3] for line in capfd.readouterr().err.splitlines()] == ["<4>", "<5>", "<5>", "<3>"]


def test_another_stream_is_not_taken_for_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "a").open("w") as one, (tmp_path / "b").open("w") as other:
        status = os.fstat(one.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert (is_journal(one.fileno()), is_journal(other.fileno())) == (True, False)


def again(folder: Path, name: str) -> Photo:
    return photo_of(folder / name, identity(), outcome=Outcome.AGAIN, reason=f"no room for {name}")


def filed(folder: Path) -> Photo:
    photo = photo_of(
        folder / "in" / "z.jpg", identity(), announced=True, outcome=Outcome.FILED, label="red", probability=1.0
    )
    photo.filing.destination, photo.times_ms = folder / "out" / "red" / "z.jpg", {"total": 5.0}
    return photo


def test_repeated_trouble_is_said_once_and_counted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with closing(Report(tmp_path / "out", as_json=False, quiet=True)) as report:
        for number in range(413):
            report.photos([again(tmp_path / "in", f"{number}.jpg")])
        report.photos([filed(tmp_path)])
        report.photos([again(tmp_path / "in", "a.jpg")])
        report.photos([filed(tmp_path)])
    assert capfd.readouterr().out.splitlines() == [
        "0.jpg stays in the inbox for now, like others with this problem: no room for 0.jpg",
        "resolved; repeated 412 more times: no room for ",
        "a.jpg stays in the inbox for now, like others with this problem: no room for a.jpg",
    ]


def test_a_file_that_stays_is_said_once_for_each_kind_of_problem_however_often_it_changes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def stays(name: str, size: int, fault: PhotoError | None, reason: str = "", inode: int = 7) -> Photo:
        foreign = fault is not None and fault.reason is Reason.FOREIGN
        return photo_of(
            tmp_path / name, identity(inode, size), fault=fault, outcome=Outcome.LEFT if foreign else Outcome.AGAIN,
            reason=reason or (fault.detail if fault else ""),
        )  # fmt: skip

    with closing(Report(tmp_path / "out", as_json=False, quiet=True)) as report:
        for size in range(50):  # appended to twice a second: each time another file by size and time
            report.photos(
                [
                    stays("half.jpg", size, PhotoError(Reason.TRUNCATED, f"{size} bytes are missing")),
                    stays("half.jpg", size, None, HELD),
                    stays("log.txt", size, PhotoError(Reason.FOREIGN, "it is no photo")),
                ]
            )
        for outcome in (Outcome.FAILED, Outcome.GONE):
            report.photos([photo := stays("half.jpg", 0, PhotoError(Reason.TRUNCATED, "short"))])
            photo.filing.outcome, photo.filing.destination = outcome, tmp_path / "out" / "_failed" / "half.jpg"
            report.photos([photo])
        report.photos([stays("half.jpg", 0, PhotoError(Reason.TRUNCATED, "a new one"), inode=8)])
    stays_for_now = "half.jpg stays in the inbox for now: "
    assert capfd.readouterr().out.splitlines() == [
        f"{stays_for_now}0 bytes are missing",
        f"{stays_for_now}{HELD}",
        "log.txt stays in the inbox: it is no photo",
        "half.jpg -> _failed: short",
        f"{stays_for_now}short",
        f"{stays_for_now}a new one",
    ]


def test_a_number_in_its_words_makes_no_other_problem_of_one_that_was_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(Report(tmp_path / "out", as_json=False, quiet=True)) as report:
        for size in (400, 401, 402):  # of a film that grows
            photo = again(tmp_path / "in", "a.jpg")
            photo.filing.reason, photo.filing.waits_for = f"its {size} MiB do not fit", str(photo.path)
            report.photos([photo])
            other = again(tmp_path / "in", "b.jpg")
            other.filing.reason = f"the ledger cannot be read ({size})"
            report.photos([other])
        report.photos([filed(tmp_path)])
    assert capfd.readouterr().out.splitlines() == [
        "a.jpg stays in the inbox for now, like others with this problem: its 400 MiB do not fit",
        "b.jpg stays in the inbox for now, like others with this problem: the ledger cannot be read (400)",
        "resolved; repeated 2 more times: the ledger cannot be read (400)",
    ]


def test_the_memory_of_files_that_stay_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.status.obstacles.MAX_STAYING", 2)
    problems = OwnProblems()
    photos = [photo_of(Path(f"/{number}.jpg"), identity(), reason=HELD) for number in range(3)]
    assert [problems.is_new(photo) for photo in (*photos, photos[2], photos[0])] == [True, True, True, False, True]


def test_the_id_is_the_files_and_no_others() -> None:
    ids = {photo_id(Identity(*numbers)) for numbers in ((1, 2, 3, 4), (1, 2, 3, 5), (1, 3, 2, 4), (12, 3, 4, 5))}
    assert len(ids) == 4
    assert photo_id(identity()) == photo_id(identity())
    assert re.fullmatch(r"[0-9a-f]{10}", photo_id(identity()))


def test_the_memory_of_what_waits_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be filed yet and was then taken away by its owner is never heard of again."""
    monkeypatch.setattr("daemon.status.report.MAX_WAITING", 2)
    with closing(Report(tmp_path / "out", as_json=False, quiet=True)) as report:
        report.photos([again(tmp_path, f"{number}.jpg") for number in range(5)])
        assert len(report.waiting) == 2


def test_what_blocks_one_place_is_said_once_while_others_are_filed_and_again_when_it_comes_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(Report(tmp_path / "out", as_json=False, quiet=True)) as report:
        for number in range(3):
            blocked = again(tmp_path / "in", f"{number}.jpg")
            blocked.filing.waits_for = blocked.filing.folder = "sea"
            report.photos([blocked, filed(tmp_path)])
        there = filed(tmp_path)
        there.filing.folder = "sea"
        report.photos([there, blocked])
    assert capfd.readouterr().out.splitlines() == [
        "0.jpg stays in the inbox for now, like others with this problem: no room for 0.jpg",
        "2.jpg stays in the inbox for now, like others with this problem: no room for 2.jpg",
    ]

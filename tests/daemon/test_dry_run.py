"""A dry run says what a real one does then, and touches nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from daemon.photo import Mode, Outcome
from tests.colour_model import LABELS
from tests.daemon.house import House, ask, told
from tests.daemon.support import model_file, plain, unique, write


def everything(*folders: Path) -> list[tuple[str, int, int, bytes]]:
    return [
        (str(path), path.lstat().st_mtime_ns, path.lstat().st_ino, path.read_bytes() if path.is_file() else b"")
        for folder in folders
        for path in sorted(folder.rglob("*"))
    ]


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def sort(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Sort in this process; the report writes to descriptors of its own."""

    def run(*words: str | Path) -> Said:
        capfd.readouterr()
        return Said(ask("sort", *words).exit_code, *capfd.readouterr())

    return run


def rows(said: Said) -> dict[str, tuple[str, str | None]]:
    """Return outcome and destination by the photo's path."""
    assert said.code == 0, said
    events = map(json.loads, said.out.splitlines())
    return {row["path"]: (row["outcome"], row["destination"]) for row in events if row["event"] == "photo"}


@pytest.fixture
def words(tmp_path: Path) -> list[str | Path]:
    inbox = tmp_path / "in"
    (inbox / "deep").mkdir(parents=True)
    write(inbox / "a.jpg", plain("red"), mtime_s=1.0)
    write(inbox / "a.xmp", b"sidecar")
    write(inbox / "b.jpg", unique("green", 1))
    write(inbox / "c.jpg", unique("green", 1))
    write(inbox / "deep" / "a.jpg", unique("red", 2))
    write(inbox / "broken.jpg", plain("red")[:300], mtime_s=1.0)
    write(inbox / "notes.txt", b"mine")
    options = ["--recursive", "--duplicates", "set-aside", "--layout", "{label}/{name}", "--give-up-after", "0"]
    return ["--inbox", inbox, "--output", tmp_path / "out", "--model", model_file(tmp_path), *options]


def test_a_dry_run_says_what_the_real_run_does_and_touches_nothing(
    words: list[str | Path], tmp_path: Path, sort: Callable[..., Said]
) -> None:
    before = everything(tmp_path)
    said = rows(sort(*words, "--json", "--dry-run"))
    assert everything(tmp_path) == before
    assert not list(Path(os.environ["XDG_STATE_HOME"]).glob("*"))
    # A sidecar that comes before its photo is said to stay, and goes with it all the same.
    done = {path: row for path, row in rows(sort(*words, "--json")).items() if row[0] != "left" or Path(path).exists()}
    assert {path for path, (outcome, _) in said.items() if outcome == "left"} == {str(tmp_path / "in" / "notes.txt")}
    by_outcome = [sorted(outcome for outcome, _ in run.values()) for run in (said, done)]
    assert by_outcome[0] == by_outcome[1] == ["duplicate", "failed", "filed", "filed", "filed", "left"]
    # Which of two equal photos comes first, and is no duplicate, is up to the threads that read them.
    places = [sorted(place.replace("c.jpg", "b.jpg") for _, place in run.values() if place) for run in (said, done)]
    assert places[0] == places[1]
    assert str(tmp_path / "out" / "red" / "a-1.jpg") in places[0]


def test_a_dry_run_beside_a_ledger_knows_what_was_dealt_with_and_leaves_it_as_it_is(
    tmp_path: Path, sort: Callable[..., Said]
) -> None:
    house = House(tmp_path / "house")
    house.file("copied.jpg", mode=Mode.COPY)
    house.file("gone back.jpg", outcome=Outcome.FILED)
    told("undo", "--last", "1")
    write(house.inbox / "new.jpg", plain("red"))
    folders = (house.inbox, house.output, house.path.parent)
    before = everything(*folders)
    words = ("--inbox", house.inbox, "--output", house.output, "--model", model_file(tmp_path), "--dry-run")
    assert list(rows(sort(*words, "--json"))) == [str(house.inbox / "new.jpg")]
    assert everything(*folders) == before
    assert "nothing was touched: red 1\n" in sort(*words).err  # and no zeros


def test_a_dry_run_says_which_folders_it_did_not_look_into(tmp_path: Path, sort: Callable[..., Said]) -> None:
    (tmp_path / "in" / "holi day").mkdir(parents=True)
    write(tmp_path / "in" / "holi day" / "a.jpg", plain("red"))
    folders = ("--inbox", tmp_path / "in", "--output", tmp_path / "out")
    where = (*folders, "--model", model_file(tmp_path), "--dry-run")
    command = f"phototriage sort --inbox {tmp_path}/in --output {tmp_path}/out --recursive"
    said = f"photos in folders of the inbox are left alone: 1 in holi day. To file them too: {command}\n"
    assert said in sort(*where).err
    assert "are left alone" not in sort(*where, "--recursive").err


def test_a_dry_run_says_which_folders_it_could_not_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sort: Callable[..., Said]
) -> None:
    closed = tmp_path / "in" / "closed"
    closed.mkdir(parents=True)
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    where = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    said = sort(*where, "--dry-run", "--recursive").err
    assert f"left out because they cannot be read: {closed} (Permission denied)" in said


def test_the_sum_says_that_nothing_was_touched(words: list[str | Path], sort: Callable[..., Said]) -> None:
    code, out, err = sort(*words, "--dry-run")
    assert code == 0
    assert (
        "dry run, nothing was touched: green 1, red 2, _duplicates 1, _failed 1, companion files 1, left in the inbox 1"
        in err
    )
    assert "a.jpg -> red 1.00" in out
    (line,) = [line for line in sort(*words, "--dry-run", "--json").out.splitlines() if '"summary"' in line]
    assert json.loads(line)["dry_run"] is True


def test_folders_that_could_not_serve_are_refused_and_none_is_made(words: list[str | Path], tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "none" / "out"
    for pair in ((inbox, output), (inbox, inbox), (tmp_path / "no inbox", tmp_path / "out")):
        result = ask("sort", "--inbox", pair[0], "--output", pair[1], *words[words.index("--model") :], "--dry-run")
        assert result.exit_code == 1, pair
        assert result.stderr.startswith("phototriage: ") or "Error" not in result.stderr
    assert not output.parent.exists()
    assert not (tmp_path / "no inbox").exists()


KINDS: tuple[tuple[str, Callable[[int], bytes]], ...] = (
    ("photo {}.jpg", lambda number: unique(LABELS[number % 3], number)),
    ("photo {}.JPG", lambda number: unique(LABELS[number % 3], number)),
    ("deep/photo {}.jpg", lambda number: unique(LABELS[number % 3], number % 7)),
    ("twin {}.jpg", lambda number: unique("red", number % 2)),
    ("deep/er/twin {}.jpg", lambda number: unique("red", number % 2)),
    ("photo {}", lambda number: unique("green", number)),
    ("photo {}.jpg.", lambda number: unique("blue", number)),
    ("12:{}.jpg", lambda number: unique("blue", number)),
    ("photo {}.xmp", lambda _: b"a sidecar"),
    ("photo {}.jpg.json", lambda _: b"{}"),
    ("deep/photo {}.mov", lambda _: b"a film"),
    ("raw {}.CR2", lambda _: b"raw data"),
    ("half {}.jpg", lambda _: plain("red")[:300]),
    ("cut {}.jpg", lambda _: plain("red")[:-2]),
    ("empty {}.png", lambda _: b""),
    ("text {}.jpg", lambda _: b"no photo"),
    ("notes {}.pdf", lambda _: b"no photo"),
    ("photo {}.jpg.part", lambda number: unique("red", number)),
    ("photo {}.jpg.Xy12", lambda number: unique("red", number)),
    (".photo {}.jpg", lambda number: unique("red", number)),
    ("@eaDir/photo {}.jpg", lambda number: unique("red", number)),
    ("closed/photo {}.jpg", lambda number: unique("red", number)),
)


@pytest.mark.parametrize("seed", range(6))
def test_a_dry_run_counts_as_the_real_run_does(tmp_path: Path, sort: Callable[..., Said], seed: int) -> None:
    chance = Random(seed)
    inbox = tmp_path / "in"
    for name, data in chance.choices(KINDS, k=40):
        number = chance.randrange(5)
        path = inbox / name.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, data(number), mtime_s=chance.choice([1e9, None]))
    (inbox / "closed").mkdir(parents=True, exist_ok=True)
    write(inbox / "closed" / ".nomedia", b"")
    options = [
        *("--inbox", inbox, "--output", tmp_path / "out", "--model", model_file(tmp_path), "--give-up-after", "0.3"),
        *(("--recursive",) if chance.random() < 0.7 else ()),
        *("--mode", chance.choice(["move", "copy", "symlink"])),
        *("--duplicates", chance.choice(["keep", "set-aside"])),
    ]
    for _ in range(2):  # the second time beside a ledger
        said, done = (sort(*options, "--json", *more) for more in (["--dry-run"], []))
        counted, real = (json.loads(one.out.splitlines()[-1]) for one in (said, done))
        assert (counted["counts"], counted["not_yet"]) == (real["counts"], real["not_yet"]), options
        alone = [[line for line in one.err.splitlines() if line.startswith("left alone")] for one in (said, done)]
        assert len(alone[0]) == len(alone[1])
        write(inbox / "photo late.jpg", unique("green", 99))

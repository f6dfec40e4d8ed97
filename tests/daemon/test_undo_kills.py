"""A process that takes photos back is killed at its system calls; the same command then finishes what it began."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from benchmarks.promise.stepped import Stepper, stepper
from daemon.filing.failure_note import write_failure_note
from daemon.ledger.movers import Mover
from daemon.photo import Mode, Outcome
from daemon.undo.execute import TOGETHER, finish
from tests.daemon.house import House, ask, told
from tests.daemon.support import command, environment, identity_of, opened_ledger, tree, write
from tests.daemon.test_order import CALLS, LINE, Call, last

STEPS = {"renameat2": 1, "fdatasync": 1, "fsync": 1, "unlink": 1, "pwrite64": 5}


@contextmanager
def steps(*calls: str) -> Iterator[Stepper]:
    with stepper(environment(TMPDIR=os.environ["HOME"]), calls) as one:
        yield one


def whole(house: House, photos: dict[str, bytes]) -> None:
    """Hold that each photo is whole somewhere; between two file systems it may be in both places until it is mended."""
    there = tree(house.inbox) | {f"out/{name}": data for name, data in tree(house.output).items()}
    assert {data for name, data in there.items() if not Path(name).name.startswith(".")} == set(photos.values())


@pytest.mark.system("strace")
@pytest.mark.parametrize("across", [False, True])
def test_after_a_kill_at_any_call_each_photo_is_whole_in_one_place_and_the_same_command_goes_on(
    tmp_path: Path, elsewhere: Path, across: bool
) -> None:
    output = elsewhere / "out" if across else tmp_path / "out"
    output.mkdir()
    write(output / ".phototriage", b'{"id": "1"}')
    house = House(tmp_path / "house", output)
    kills = 0
    for call, step in STEPS.items():
        with steps(call) as undo:
            for when in count(1, step):
                photos = {f"{call}-{when}-{number}.jpg": b"" for number in range(3)}
                for name in photos:
                    photos[name] = (filed := house.file(name, at_s=float(when))).read_bytes()
                filed.rename(moved := output / name)  # as its owner does
                house.seen(filed, moved, "street", "street")
                came = undo.killed_after(when, "undo", "--inbox", house.inbox, "--last", "3")
                whole(house, photos)
                told("undo", "--last", "3")
                assert tree(house.inbox) == photos, f"after a kill at {call} {when}"
                assert list(output.rglob("*part")) == []
                with opened_ledger(house.path) as ledger:
                    assert ledger.open_intents(Mover.UNDO) == {}
                    for name in photos:
                        assert ledger.known(house.inbox / name, identity_of(house.inbox / name)), f"{call} {when}"
                        (house.inbox / name).unlink()
                kills += came
                if not came:
                    break
    assert kills >= 8


@pytest.mark.system("strace")
def test_a_kill_in_a_later_batch_leaves_what_earlier_ones_took_back_and_the_rest_follows(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    photos = {f"{number}.jpg": b"" for number in range(TOGETHER + 6)}
    for name in photos:
        photos[name] = house.file(name).read_bytes()
    with steps("renameat2") as undo:
        assert undo.killed_after(TOGETHER + 3, "undo", "--inbox", house.inbox, "--label", "sea")
    whole(house, photos)
    assert len(tree(house.inbox)) >= TOGETHER
    rest = len(tree(house.output))
    assert rest
    assert len(told("undo", "--label", "sea")) <= rest  # one may have been finished first
    assert (tree(house.inbox), tree(house.output)) == (photos, {})
    assert [row["state"] for row in told("history", "--all")].count("undone") == len(photos)


@pytest.mark.system("strace")
def test_after_a_kill_at_any_call_of_retry_a_photo_that_stays_failed_has_its_note(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    with steps("renameat2", "unlink") as retry:
        for when in count(1):
            why = "truncated: it ends early"
            photo = house.file("a.jpg", at_s=float(when), label="", outcome=Outcome.FAILED, reason=why)
            write_failure_note(photo, "a.jpg", why)
            data = photo.read_bytes()
            came = retry.killed_after(when, "retry", "--inbox", house.inbox)
            with opened_ledger(house.path) as ledger:
                finish(ledger, 3.0)
            assert photo.exists() == (house.output / "_failed" / "a.jpg.why.txt").exists(), f"after {when} calls"
            told("retry")
            assert (tree(house.inbox), tree(house.output)) == ({"a.jpg": data}, {}), f"after {when} calls"
            (house.inbox / "a.jpg").unlink()
            if not came:
                break
    assert when >= 3


@pytest.mark.system("strace")
@pytest.mark.parametrize("mode", [Mode.COPY, Mode.HARDLINK, Mode.SYMLINK])
def test_a_kill_never_costs_the_original_of_a_copy(tmp_path: Path, mode: Mode) -> None:
    house = House(tmp_path / "house")
    with steps("unlink", "fsync") as undo:
        for when in count(1):
            house.file("a.jpg", at_s=float(when), mode=mode)
            data = (house.inbox / "a.jpg").read_bytes()
            came = undo.killed_after(when, "undo", "--inbox", house.inbox, "--last", "1")
            assert tree(house.inbox) == {"a.jpg": data}
            result = ask("undo", "--label", "sea")
            assert result.exit_code == 0, result.stderr
            assert tree(house.output) == {}
            if not came:
                break


@pytest.mark.system("strace")
def test_intent_rename_photo_folders_outcome_of_the_way_back_are_made_durable_in_this_order(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    filed = house.file("a.jpg")
    log, wal = tmp_path / "trace", Call("fdatasync", f"{house.path}-wal")
    strace = ["strace", "-f", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(log)]
    words = [*strace, *command("undo", "--last", "1")]
    subprocess.run(words, check=True, capture_output=True, timeout=60, env=environment())
    found = (LINE.match(line) for line in log.read_text().splitlines())
    calls = [Call(match[1], match[2] or match[3] or match[4]) for match in found if match]

    renamed = calls.index(Call("renameat2", str(filed)))
    before, after = calls[:renamed], calls[renamed + 1 :]
    assert wal in before[last(before, wal._replace(name="pwrite64")) :], "the intent was not synced before the rename"
    concluded = after.index(wal._replace(name="pwrite64"))
    assert Call("fdatasync", str(house.inbox / "a.jpg")) in after[:concluded], "the photo was not synced"
    for folder in (house.inbox, filed.parent):
        assert Call("fsync", str(folder)) in after[:concluded], f"{folder.name} was not synced before the outcome"
    assert wal in after[concluded:], "the outcome was not synced"


@pytest.mark.system("strace", root=True)
def test_a_kill_of_roots_undo_leaves_nothing_that_the_services_user_could_not_open(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    house.file("a.jpg")
    for path in (house.path.parent, *house.path.parent.iterdir()):
        os.chown(path, 12345, 12345)
    with steps("renameat2") as undo:
        assert undo.killed_after(1, "undo", "--inbox", house.inbox, "--last", "1")
    left = {path.name: path.stat().st_uid for path in house.path.parent.iterdir()}
    assert left == dict.fromkeys(("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "undo-lock"), 12345)

"""Decoding in child processes: the same answers as in the daemon's threads, and no photo that costs another one.

The decoder that aborts or sleeps is the real one of `test_poison.py`, for plain PPM pictures.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from common.errors import Reason
from contract.geometry import Geometry
from daemon.decode.decode import decode
from daemon.decode.guard import Guard
from daemon.decode.workers import DecodePool, decode_pool_for
from daemon.photo import Photo
from tests.colour_model import LABELS
from tests.contract.heif_files import sample
from tests.daemon.support import (
    ROOT,
    daemon,
    descriptors,
    encoded,
    model_file,
    opened_guard,
    photo_of,
    plain,
    run,
    tree,
    unique,
    wait_until,
    write,
)
from tests.daemon.test_poison import DECODER, poison

SMALL = Geometry(size_px=32)
PHOTO = encoded(Image.linear_gradient("L").convert("RGB"), quality=95)
NOTE = "open(os.environ['STATE_DIRECTORY'] + '/asleep', 'w').close() or "
RAW = os.fsdecode(b"in/caf\xe9\n\xff.jpg")


class Here:
    """A crew with its guard, as a pipeline uses them."""

    def __init__(self, decode_pool: DecodePool, guard: Guard, said: list[str]) -> None:
        self.decode_pool, self.guard, self.said = decode_pool, guard, said

    def seen(self, path: Path, relpath: str = "") -> Photo:
        return photo_of(path, relpath=Path(relpath))

    def child(self, photo: Photo, geometry: Geometry = SMALL) -> bool:
        read = self.decode_pool.decode(photo.found, geometry, 1e10, busy=lambda: True)
        photo.read = read or photo.read
        return read is not None

    def thread(self, photo: Photo, geometry: Geometry = SMALL) -> Photo:
        photo.read = decode(photo.found, geometry, 1e10, self.guard)
        return photo

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        (hand,) = self.decode_pool._hands.values()
        return hand.process


@contextmanager
def here(folder: Path, **options: Any) -> Iterator[Here]:
    said: list[str] = []
    before = descriptors()
    with opened_guard(folder / ".decoding") as guard:
        with closing(
            DecodePool(guard.journal, guard.budget, **{"eager": True, "say": said.append, **options})
        ) as decode_pool:
            yield Here(decode_pool, guard, said)
        assert children(os.getpid()) == []
    assert descriptors() == before


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return found


@pytest.fixture
def poisoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let children have the decoder that aborts or sleeps."""
    (tmp_path / "site").mkdir()
    write(tmp_path / "site" / "sitecustomize.py", DECODER.encode())
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


def test_a_child_finds_what_a_thread_finds_bit_by_bit_also_when_the_model_changes_between_two(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "in" / "link").symlink_to("deep")
    turned = Image.linear_gradient("L").convert("RGB").resize((300, 200))  # no square: letterbox and stretch differ
    turned.getexif()[0x0112] = 6
    files = {
        "in/a.jpg": ("", PHOTO), RAW: ("", encoded(turned, "PNG")),
        "in/deep/er/b.webp": ("deep/er", encoded(turned, "WEBP")),
        f"in/{'x' * 255}": ("", PHOTO), "in/empty.jpg": ("", b""), "in/half.jpg": ("", PHOTO[:300]),
        "in/text.jpg": ("", b"no photo"), "in/notes.txt": ("", b"none"),
        "in/c.heic": ("", sample("scene")), "in/big.jpg": ("", PHOTO + bytes(1 << 20)),
    }  # fmt: skip
    for name, (_, data) in files.items():
        write(tmp_path / name, data)
    files["in/link/er/b.webp"] = ("link/er", b"")
    with here(tmp_path) as one:
        for geometry in (SMALL, Geometry("letterbox", 200), SMALL):
            for name, (relpath, _) in files.items():
                photo = one.seen(tmp_path / name, relpath)
                assert one.child(photo, geometry)
                other = one.thread(one.seen(tmp_path / name, relpath), geometry)
                assert (photo.read.pixels is None, str(photo.read.fault)) == (
                    other.read.pixels is None,
                    str(other.read.fault),
                )
                assert getattr(photo.read.fault, "reason", None) == getattr(other.read.fault, "reason", None)
                assert (photo.read.sha256, photo.read.unchanged_s) == (other.read.sha256, other.read.unchanged_s)
                assert set(photo.read.times_ms) == set(other.read.times_ms)
                if other.read.pixels is not None:
                    np.testing.assert_array_equal(photo.read.pixels, other.read.pixels)
        assert photo.read.fault is not None  # the way through a link
        replaced = one.seen(tmp_path / "in/a.jpg")
        write(tmp_path / "new", PHOTO).rename(tmp_path / "in/a.jpg")
        assert one.child(replaced)
        assert replaced.read.fault is not None
        assert replaced.read.fault.reason is Reason.CHANGED


def test_what_is_too_large_for_beside_others_and_what_is_suspected_goes_the_way_it_went_before(tmp_path: Path) -> None:
    large = write(tmp_path / "a.png", encoded(Image.new("RGB", (5000, 5000), "red"), "PNG"))
    with here(tmp_path) as one:
        photo = one.seen(large)
        assert one.child(photo)
        assert photo.read.must_be_isolated
        assert one.thread(photo).read.pixels is not None
        one.guard.journal.begin(large, here=False)
        one.guard.journal.end(large, cleared=False, died=True)
        one.decode_pool.close()
        assert not one.child(one.seen(large))
        assert one.decode_pool._hands == {}


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize(("words", "hang_s"), [("abort", 60.0), ("sleep", 0.3)])
def test_a_photo_that_kills_or_hangs_a_child_is_a_suspect_and_costs_no_other(
    tmp_path: Path, words: str, hang_s: float
) -> None:
    bad, good = write(tmp_path / "bad.ppm", poison(words)), write(tmp_path / "good.jpg", PHOTO)
    with here(tmp_path, hang_s=hang_s) as one:
        assert one.child(one.seen(good))
        assert not one.child(one.seen(bad))
        assert one.guard.journal.deaths(bad) == 1
        assert one.child(one.seen(good))
        if words == "abort":
            fault = one.thread(one.seen(bad)).read.fault
            assert "the child process that decoded it died of SIGABRT" in str(fault)
        assert one.said == []
    with opened_guard(tmp_path / ".decoding") as next_start:
        assert next_start.journal.deaths(bad) == 1


def test_a_child_that_somebody_kills_in_the_middle_fails_no_photo(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", PHOTO)
    with here(tmp_path) as one:
        assert one.child(one.seen(path))
        one.process.send_signal(signal.SIGSTOP)
        threading.Timer(0.1, one.process.kill).start()
        photo = one.seen(path)
        assert not one.child(photo)
        assert one.guard.journal.deaths(path) == 1
        assert one.thread(photo).read.pixels is not None
        assert one.guard.journal.deaths(path) == 0


@pytest.mark.usefixtures("poisoned")
def test_a_stop_does_not_wait_for_a_child_and_makes_no_suspect(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ppm", poison("sleep"))
    with here(tmp_path) as one, ThreadPoolExecutor(1) as reader:
        photo = one.seen(path)
        dealt_with = reader.submit(one.child, photo)
        wait_until(lambda: b"a.ppm" in (tmp_path / ".decoding").read_bytes(), "the note of it")
        one.decode_pool.stop()
        assert dealt_with.result()
        assert (photo.read.pixels, photo.read.fault) == (None, None)
        assert one.guard.journal.deaths(path) == 0
        assert reader.submit(one.child, photo).result()  # and no other child is started
        assert one.decode_pool._hands == {}


def test_a_child_is_started_for_a_backlog_alone_and_ends_when_there_is_nothing_to_do(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", PHOTO)
    with here(tmp_path, eager=False, idle_s=0.3) as one:
        assert not one.decode_pool.decode(one.seen(path).found, SMALL, 1e10, busy=lambda: False)
        assert one.decode_pool._hands == {}
        wait_until(lambda: one.child(one.seen(path)), "the child to be ready")
        process = one.process
        wait_until(lambda: not alive(process.pid), "it to end")
        one.decode_pool.look()
        assert process.returncode == 0
        assert not one.child(one.seen(path))
        assert one.guard.journal.deaths(path) == 0


def test_without_children_that_start_the_threads_decode_and_it_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.jpg", PHOTO)
    for executable in ("/bin/false", "/nowhere"):
        monkeypatch.setattr(sys, "executable", executable)
        with here(tmp_path) as one:
            assert not one.child(one.seen(path))
            assert not one.child(one.seen(path))
            assert len(one.said) == 1


def test_a_child_imports_only_what_decoding_needs() -> None:
    script = "import sys, daemon.decode.worker; print({'onnxruntime', 'sqlite3', 'click', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("decode_in", "readers", "cores", "has_crew"),
    [
        ("auto", 16, 16, True), ("auto", 5, 5, True), ("auto", 4, 4, False), ("auto", 2, 16, False),
        ("auto", 16, 2, False), ("threads", 16, 16, False), ("processes", 1, 1, True),
    ],
)  # fmt: skip
def test_children_are_for_many_cores_or_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decode_in: Any, readers: int, cores: int, has_crew: bool
) -> None:
    monkeypatch.setattr("daemon.decode.workers.usable_cores", lambda: cores)
    with opened_guard(tmp_path / "decoding") as guard:
        assert (decode_pool_for(decode_in, readers, guard, print) is not None) == has_crew


@pytest.fixture
def asked(tmp_path: Path, poisoned: None) -> tuple[tuple[str | Path, ...], dict[str, str]]:
    """Arguments and environment of a daemon whose readers have children, with the bad decoder."""
    (tmp_path / "in").mkdir()
    folders = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    more = ("--workers", "2", "--give-up-after", "0.1", "--decode-in", "processes", "--recursive")
    env = {"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}", "STATE_DIRECTORY": str(tmp_path / "state")}
    return (*folders, *more), env


def test_one_run_files_all_and_fails_what_kills_decoders_without_dying(
    tmp_path: Path, asked: tuple[tuple[str | Path, ...], dict[str, str]]
) -> None:
    arguments, env = asked
    (tmp_path / "in" / "deep").mkdir()
    names = {f"{number}.jpg": number for number in range(20)} | {"deep/20.jpg": 20, os.fsdecode(b"\xff.jpg"): 21}
    for name, number in names.items():
        write(tmp_path / "in" / name, unique(LABELS[number % 3], number))
    write(tmp_path / "in" / "kills.ppm", poison("abort"))
    done = run("sort", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    filed = tree(tmp_path / "out")
    assert b"died of SIGABRT" in filed.pop("_failed/kills.ppm.why.txt")
    assert filed.pop("_failed/kills.ppm") == poison("abort")
    assert filed == {
        f"{LABELS[number % 3]}/{name}": unique(LABELS[number % 3], number) for name, number in names.items()
    }


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_the_daemon_however_that_ends(
    tmp_path: Path, asked: tuple[tuple[str | Path, ...], dict[str, str]], end: signal.Signals
) -> None:
    arguments, env = asked
    decoder = DECODER.replace("HANG_S = 0.5", "HANG_S = 60").replace("time.sleep(", NOTE + "time.sleep(")
    write(tmp_path / "site" / "sitecustomize.py", decoder.encode())
    with daemon(*arguments, env=env) as running:
        running.ready()
        write(tmp_path / "in" / "sleeps.ppm", poison("sleep 1"))
        wait_until((tmp_path / "state" / "asleep").exists, "a child to be in the decoder")
        write(tmp_path / "in" / "b.jpg", plain("blue"))
        running.photos({"b.jpg"})  # by the other reader
        pids = children(running.process.pid)
        assert len(pids) == 2
        assert running.stop(end) == (0 if end is signal.SIGTERM else -end)
        wait_until(lambda: not any(alive(pid) for pid in pids), "the children to end")
    assert tree(tmp_path / "in") == {"sleeps.ppm": poison("sleep 1")}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False

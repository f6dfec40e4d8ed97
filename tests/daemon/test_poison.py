"""Photos that kill or hang the decoder: each ends in _failed, the others are filed, and nothing loops.

The decoder is a real one of Pillow, for plain PPM pictures alone, registered from outside by a `sitecustomize` module
that Python itself loads: it aborts or sleeps, by what the picture says.
"""

import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from common.errors import PhotoError, Reason
from contract.geometry import Geometry, Pixels, to_input
from daemon.decode import guard as guard_module
from daemon.decode import isolated as alone_module
from daemon.decode.decode import decode
from daemon.decode.isolated import DiedError, IsolatedDecoder, StoppedError
from daemon.decode.webp import webp_size
from tests.colour_model import LABELS
from tests.contract.heif_files import grid, heif, picture, sample
from tests.daemon.support import (
    ROOT,
    command,
    daemon,
    digest,
    encoded,
    environment,
    identity_of,
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

SMALL = Geometry(size_px=32)
DECODER = """
import os, time
from PIL import Image, ImageFile, PpmImagePlugin
import daemon.decode.isolated, daemon.decode.guard
daemon.decode.isolated.WALL_S = 8.0
daemon.decode.guard.HANG_S = float(os.environ.get("HANG_S", "0.5"))

class Poison(ImageFile.PyDecoder):
    _pulls_fd = True

    def decode(self, buffer):
        words = self.fd.read()
        if b"abort" in words:
            os.abort()
        if b"sleep" in words:
            time.sleep(3600)
        self.set_as_raw(bytes([255, 0, 0]) * (self.state.xsize * self.state.ysize))
        return -1, 0

Image.register_decoder("ppm_plain", Poison)
"""


def poison(what: str) -> bytes:
    return b"P3\n40 40\n255\n" + what.encode()


@pytest.fixture
def poisoned(tmp_path: Path) -> dict[str, str]:
    """Environment of processes whose decoder of plain PPM is the bad one."""
    (tmp_path / "site").mkdir()
    write(tmp_path / "site" / "sitecustomize.py", DECODER.encode())
    return {"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}", "STATE_DIRECTORY": str(tmp_path / "state")}


def options(folder: Path) -> tuple[str | Path, ...]:
    (folder / "in").mkdir()
    return (
        *("--inbox", folder / "in", "--output", folder / "out", "--model", model_file(folder)),
        *("--give-up-after", "0.2", "--workers", "2"),
    )


def good(folder: Path, count: int) -> dict[str, bytes]:
    photos = {f"{number}.jpg": unique(LABELS[number % 3], number) for number in range(count)}
    for name, data in photos.items():
        write(folder / "in" / name, data)
    return {f"{LABELS[int(Path(name).stem) % 3]}/{name}": data for name, data in photos.items()}


def test_a_photo_that_aborts_the_process_is_failed_by_the_next_one_and_the_others_are_filed(
    tmp_path: Path, poisoned: dict[str, str]
) -> None:
    arguments = options(tmp_path)
    wanted = good(tmp_path, 8)
    write(tmp_path / "in" / "kills.ppm", poison("abort"))
    write(tmp_path / "in" / "harmless.ppm", poison(""))
    assert run("sort", *arguments, env=poisoned).returncode == -signal.SIGABRT
    done = run("sort", *arguments, env=poisoned)
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path / "in") == {}
    why = tree(tmp_path / "out").pop("_failed/kills.ppm.why.txt").decode()
    assert "the child process that decoded it died of SIGABRT" in why
    filed = tree(tmp_path / "out")
    assert filed.pop("_failed/kills.ppm") == poison("abort")
    assert filed.pop("red/harmless.ppm") == poison("")
    del filed["_failed/kills.ppm.why.txt"]
    assert filed == wanted


def test_a_photo_that_hangs_the_decoder_is_failed_by_the_same_process_started_anew(
    tmp_path: Path, poisoned: dict[str, str]
) -> None:
    arguments = options(tmp_path)
    with daemon(*arguments, env=poisoned) as running:
        running.ready()
        pid = running.process.pid
        write(tmp_path / "hangs", poison("sleep")).rename(tmp_path / "in" / "hangs.ppm")
        wanted = good(tmp_path, 4)  # filed by the other thread, or after the start
        running.ready()
        wait_until((tmp_path / "out" / "_failed" / "hangs.ppm").exists, "the photo that hangs to be failed")
        wait_until(lambda: wanted.items() <= tree(tmp_path / "out").items(), "the others")
        write(tmp_path / "in" / "later.jpg", plain("blue"))
        wait_until((tmp_path / "out" / "blue" / "later.jpg").exists, "what comes later")
        assert running.process.pid == pid
        assert running.stop() == 0
    said = [line for line in running.errors if "has been in the decoder" in line]
    assert len(said) == 1
    assert "hangs.ppm" in said[0]


def test_a_decoder_that_hangs_in_every_photo_starts_anew_a_few_times_and_then_ends(
    tmp_path: Path, poisoned: dict[str, str]
) -> None:
    arguments = (*options(tmp_path), "--workers", "6", "--decode-in", "threads")
    for number in range(20):
        write(tmp_path / "in" / f"{number}.ppm", poison(f"sleep {number}"))
    with daemon(*arguments, env=poisoned) as running:
        assert running.wait() == 1
    said = [line for line in running.errors if "has been in the decoder" in line]
    assert len(said) == 4
    assert "again after 3 restarts in a row. The daemon ends; no photo is lost." in said[-1]
    there = tree(tmp_path / "in") | {Path(name).name: data for name, data in tree(tmp_path / "out").items()}
    assert {name: there[name] for name in there if name.endswith(".ppm")} == {
        f"{number}.ppm": poison(f"sleep {number}") for number in range(20)
    }


def test_a_stop_does_not_wait_for_ever_for_a_photo_that_hangs(tmp_path: Path, poisoned: dict[str, str]) -> None:
    arguments = options(tmp_path)
    patient = {**poisoned, "HANG_S": "3"}  # so that the stop comes first on a slow machine too, and no restart
    with daemon(*arguments, env=patient) as running:
        running.ready()
        write(tmp_path / "hangs", poison("sleep")).rename(tmp_path / "in" / "hangs.ppm")
        wait_until(lambda: b"hangs" in (tmp_path / "state" / "decoding").read_bytes(), "the note of it")
        assert running.stop() == 1
    assert tree(tmp_path / "in") == {"hangs.ppm": poison("sleep")}


def test_a_kill_at_any_time_makes_suspects_but_fails_no_photo(tmp_path: Path) -> None:
    arguments = options(tmp_path)
    env = {"STATE_DIRECTORY": str(tmp_path / "state")}
    wanted = good(tmp_path, 30)
    for seen in (0, 2, 5):
        with daemon(*arguments, env=env) as running:
            wait_until(lambda: len(tree(tmp_path / "out")) > seen, "some to be filed")  # noqa: B023
            running.process.kill()
    assert run("sort", *arguments, env=env).returncode == 0
    assert tree(tmp_path / "out") == wanted


def alone(data: bytes, geometry: Geometry, one: IsolatedDecoder | None = None) -> Pixels:
    """Decode bytes in a process of its own."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        return (one or IsolatedDecoder()).to_input(file.fileno(), len(data), geometry)[0]


def test_alone_gives_the_same_pixels_and_the_same_reasons(tmp_path: Path) -> None:
    photo = encoded(Image.linear_gradient("L").convert("RGB"), quality=95)
    for geometry in (SMALL, Geometry("letterbox", 48)):
        assert (alone(photo, geometry) == to_input(photo, geometry)).all()
        assert (alone(sample("ten-bit"), geometry) == to_input(sample("ten-bit"), geometry)).all()
    for bad in (b"", photo[:300], b"no photo"):
        with pytest.raises(PhotoError) as here:
            to_input(bad, SMALL)
        with pytest.raises(PhotoError) as there:
            alone(bad, SMALL)
        assert (there.value.reason, there.value.detail) == (here.value.reason, here.value.detail)
        assert not isinstance(there.value, DiedError)


def test_a_bomb_of_a_hundred_bytes_is_opened_alone_with_bounded_memory_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [Image.new("RGB", (5000, 5000), colour) for colour in ("red", "blue")]
    bomb = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True, method=0)
    assert len(bomb) < 300
    photo = photo_of(write(tmp_path / "a.webp", bomb), identity_of(tmp_path / "a.webp"))
    monkeypatch.setattr(guard_module, "MEMORY_BYTES", 128 << 20)
    monkeypatch.setattr(guard_module, "to_input", lambda *_: pytest.fail("opened in this process"))
    faults = []
    with opened_guard(tmp_path / "decoding") as guard:
        for _ in range(2):
            photo.read = decode(photo.found, SMALL, 0.0, guard)
            assert photo.read.fault is not None
            faults.append(photo.read.fault)
    assert str(faults[0]) == str(faults[1])
    assert faults[0].reason is Reason.TOO_LARGE
    assert faults[0].detail.startswith("5000 x 5000 does not fit into 128 MiB of memory")


def test_a_large_heic_is_decoded_alone_within_the_memory_that_it_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = [picture("quarter-0")] * (32 * 30)
    data = heif([grid(32, 30, (160 * 30, 96 * 32), [*range(2, 2 + len(tiles))]), *tiles])
    monkeypatch.setattr(guard_module, "HERE_PIXELS", 10_000_000)
    photo = photo_of(write(tmp_path / "a.heic", data), identity_of(tmp_path / "a.heic"))
    with opened_guard(tmp_path / "decoding") as guard:
        photo.read = decode(photo.found, SMALL, 0.0, guard)
        assert photo.read.pixels is not None
        assert not guard.decoded
    monkeypatch.setattr(guard_module, "MEMORY_BYTES", 96 << 20)
    with opened_guard(tmp_path / "again") as guard:
        fault = decode(photo.found, SMALL, 0.0, guard).fault
    assert fault is not None
    assert fault.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"quality": 80}, {"lossless": True, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}]
)
def test_the_size_of_a_webp_is_known_before_it_is_opened(options: dict[str, Any]) -> None:
    for size in ((1, 1), (300, 17), (16, 16383)):
        assert webp_size(encoded(Image.new("RGB", size), "WEBP", **options)) == size
    assert webp_size(plain("red")) is None
    assert webp_size(b"RIFF") is None


def test_a_large_photo_is_filed_by_way_of_a_process_of_its_own(tmp_path: Path) -> None:
    data = encoded(Image.new("RGB", (5000, 5000), "blue"), "PNG", compress_level=1)
    photo = photo_of(write(tmp_path / "a.png", data), identity_of(tmp_path / "a.png"))
    with opened_guard(tmp_path / "decoding") as guard:
        photo.read = decode(photo.found, SMALL, 0.0, guard)
        assert photo.read.pixels is not None
        assert (photo.read.pixels == (0, 0, 255)).all()
        assert photo.read.sha256 == digest(data)
        assert not guard.decoded


def test_where_no_process_can_be_started_a_suspect_waits_and_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = plain("red")
    photo = photo_of(write(tmp_path / "a.jpg", data), identity_of(tmp_path / "a.jpg"))
    with opened_guard(tmp_path / "decoding") as guard:
        guard.journal.begin(photo.path, here=True)  # and then it died
    monkeypatch.setattr("sys.executable", str(tmp_path / "no python"))
    with opened_guard(tmp_path / "decoding") as guard:
        for _ in range(2):
            photo.read = decode(photo.found, SMALL, 0.0, guard)
            assert photo.read.fault is not None
            assert photo.read.fault.reason is Reason.UNREADABLE
        monkeypatch.undo()
        photo.read = decode(photo.found, SMALL, 0.0, guard)
        assert photo.read.pixels is not None
        assert (photo.read.pixels == to_input(data, SMALL)).all()
        assert guard.journal.deaths(photo.path) == 0


def test_a_stop_ends_the_process_that_decodes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    started_s = time.monotonic()
    one = IsolatedDecoder()
    timer = threading.Timer(0.05, one.stop)
    timer.start()
    with pytest.raises(StoppedError):
        _ = [alone(plain("red"), SMALL, one) for _ in range(1000)]
    timer.join()
    assert time.monotonic() - started_s < alone_module.WALL_S
    with pytest.raises(StoppedError):
        alone(plain("red"), SMALL, one)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_child_that_somebody_ends_tells_nothing_about_the_photo(number: int) -> None:
    with pytest.raises(ChildProcessError):
        alone_module._understood(b"", -number, SMALL)


def test_a_child_does_not_outlive_a_daemon_that_is_killed(tmp_path: Path, poisoned: dict[str, str]) -> None:
    file = write(tmp_path / "sleeps.ppm", poison("sleep"))
    script = f"from contract.geometry import Geometry; from daemon.decode import isolated; \
isolated.WALL_S = 60.0; file = open({str(file)!r}); isolated.IsolatedDecoder().to_input(file.fileno(), 18, Geometry())"
    assert file.stat().st_size == 18
    parent = subprocess.Popen([command()[0], "-c", script], env=environment(**poisoned))
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    wait_until(lambda: bool(children.read_text().split()), "the child")
    child = Path("/proc") / children.read_text().split()[0]
    wait_until(lambda: (child / "oom_score_adj").read_text() == "1000\n", "the child's limits")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not child.exists() or "State:\tZ" in (child / "status").read_text(), "the end of the child")

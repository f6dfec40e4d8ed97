"""What decoders print themselves reaches nobody, and what Python or a crash has to say still does."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common.silence import silenced
from daemon.decode.decode import decode_alone
from tests.daemon.support import (
    ROOT,
    daemon,
    descriptors,
    environment,
    model_file,
    opened_guard,
    photo_of,
    run,
    tree,
    unique,
    write,
)
from tests.daemon.test_poison import SMALL, poison
from tests.fax import fax

PRINTS = """
import os
from PIL import Image, ImageFile, PpmImagePlugin

class Chatty(ImageFile.PyDecoder):
    _pulls_fd = True

    def decode(self, buffer):
        os.write(1, b"P" * 5000)
        os.write(2, b"noise\\n" * 1000)
        self.set_as_raw(bytes([255, 0, 0]) * (self.state.xsize * self.state.ysize))
        return -1, 0

Image.register_decoder("ppm_plain", Chatty)
"""
"""A `sitecustomize` module: the decoder of plain PPM pictures prints to both descriptors."""


@pytest.fixture
def arguments(tmp_path: Path) -> tuple[str | Path, ...]:
    """Make an inbox with noisy pictures, beside a decoder that prints."""
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "fax.tif", fax(), mtime_s=1e9)
    write(tmp_path / "in" / "chatty.ppm", poison("prints"), mtime_s=1e9)
    write(tmp_path / "in" / "red.jpg", unique("red", 1), mtime_s=1e9)
    (tmp_path / "site").mkdir()
    write(tmp_path / "site" / "sitecustomize.py", PRINTS.encode())
    return ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))


def env(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{folder / 'site'}:{ROOT}", "STATE_DIRECTORY": str(folder / "state")}


def test_the_picture_is_one_that_floods_where_nothing_is_silenced(tmp_path: Path) -> None:
    photo = str(write(tmp_path / "a", fax()))
    script = f"from daemon.decode.guard import *; to_input(open({photo!r}, 'rb').read(), Geometry())"
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
    assert done.stderr.count("Fax3Decode1D") > 10_000


@pytest.mark.parametrize("words", [(), ("--json",), ("--log-format", "json"), ("--dry-run",), ("--workers", "1")])
@pytest.mark.parametrize("decode_in", ["threads", "processes"])
def test_a_pass_over_noisy_pictures_says_what_it_says_of_quiet_ones(
    tmp_path: Path, arguments: tuple[str | Path, ...], words: tuple[str, ...], decode_in: str
) -> None:
    done = run("sort", *arguments, *words, "--decode-in", decode_in, env=env(tmp_path))
    assert done.returncode == 0
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    assert len(lines) < 8, lines
    assert sum("fax.tif" in line for line in lines) == 1
    assert not any(word in done.stdout + done.stderr for word in ("Fax3", "noise", "PPPP"))
    if "json" in "".join(words):
        assert all(json.loads(line) for line in (done.stdout if "--json" in words else done.stderr).splitlines())
    assert len(tree(tmp_path / ("in" if "--dry-run" in words else "out"))) == 3


def test_a_watch_is_as_quiet_and_so_is_replay(tmp_path: Path, arguments: tuple[str | Path, ...]) -> None:
    with daemon(*arguments, env=env(tmp_path)) as running:
        running.photos({"fax.tif", "chatty.ppm", "red.jpg"})
        assert running.stop() == 0
    assert not any("Fax3" in line or "noise" in line for line in running.errors)
    asked = run("replay", "--inbox", tmp_path / "in", "--model", tmp_path / "colours.onnx", "--json", env=env(tmp_path))
    assert (asked.returncode, asked.stderr) == (0, "")
    assert all(json.loads(line) for line in asked.stdout.splitlines())


def test_what_a_decoder_prints_is_no_part_of_the_answer_of_the_process_that_decodes_alone(
    tmp_path: Path, arguments: tuple[str | Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    path = tmp_path / "in" / "chatty.ppm"
    photo = photo_of(path)
    with opened_guard(tmp_path / "notes") as guard:
        photo.read = decode_alone(photo.found, SMALL, 0.0, guard)
    assert photo.read.fault is None
    assert photo.read.pixels is not None


SAYS = """
import ctypes, os, sys, threading, time, warnings
from common.silence import restore, silenced
from phototriage import make_streams_safe
make_streams_safe()
c = ctypes.CDLL(None)

def fails():
    raise ValueError("in a thread")

def prints(what):
    os.write(1, f"raw {what}\\n".encode())
    os.write(2, f"raw {what}\\n".encode())
    c.dprintf(2, b"printed " + what.encode() + b"\\n")
    warnings.warn("warned " + what)
    print("out", what)
    print("err", what, file=sys.stderr)

prints("before")
with silenced():
    prints("inside")
    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    END
prints("after")
"""


def said(end: str, python: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, *python, "-c", SAYS.replace("END", end)]
    return subprocess.run(words, env=environment(), capture_output=True, text=True)


def test_pythons_streams_and_tracebacks_come_through_and_nothing_else_does() -> None:
    done = said("pass")
    assert done.stdout.split("\n") == ["raw before", "out before", "out inside", "raw after", "out after", ""]
    assert [line for line in done.stderr.splitlines() if line.startswith(("raw", "printed", "err"))] == [
        *("raw before", "printed before", "err before", "err inside", "raw after", "printed after", "err after"),
    ]
    assert "ValueError: in a thread" in done.stderr
    assert "warned inside" not in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("python", [(), ("-X", "faulthandler")])
@pytest.mark.parametrize(
    ("end", "number"), [("c.abort()", signal.SIGABRT), ("os.kill(os.getpid(), 11)", signal.SIGSEGV)]
)
def test_where_a_decoder_crashed_is_told(python: tuple[str, ...], end: str, number: int) -> None:
    done = said(end, python)
    assert done.returncode == -number
    assert "Fatal Python error" in done.stderr
    assert '"<string>", line' in done.stderr


def test_a_process_that_takes_over_is_heard() -> None:
    done = said("restore(); os.execlp('sh', 'sh', '-c', 'echo one; echo two >&2')")
    assert done.stdout.endswith("out inside\none\n")
    assert done.stderr.endswith("two\n")


def test_an_error_inside_puts_everything_back(capfd: pytest.CaptureFixture[str]) -> None:
    before, streams = descriptors(), (sys.stdout, sys.stderr)

    def fails() -> None:
        with silenced():
            os.write(1, b"lost")
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fails()
    os.write(1, b"heard")
    assert capfd.readouterr().out == "heard"
    assert (descriptors(), (sys.stdout, sys.stderr)) == (before, streams)

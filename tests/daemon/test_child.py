"""What a process says that has decoded a stranger's bytes is taken for pixels and text, or for no answer at all."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from common.errors import PhotoError, Reason
from contract.geometry import Geometry
from daemon.decode import isolated as alone_module
from daemon.decode import protocol as wire
from daemon.decode.decode import decode_alone
from daemon.decode.exif_date import PACKED_BYTES, pack, unpack
from daemon.decode.isolated import FAULT, PIXELS, READY, _understood
from daemon.photo import Photo, Read
from tests.daemon.support import (
    QUICK,
    encoded,
    model_file,
    opened_guard,
    photo_of,
    plain,
    run,
    tree,
    write,
)
from tests.daemon.test_crew import here

SMALL = Geometry(size_px=32)
WHOLE = PIXELS + pack(None) + bytes(32 * 32 * 3)
NO_ANSWER = "the child process that decoded it gave no answer"


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the module that runs in the place of the child's."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(alone_module, "MODULE", "garbage")
    return tmp_path / "garbage.py"


def answered(child: Path, script: str) -> Photo:
    write(child, f"import os, sys, time\nout = sys.stdout.buffer\n{script}\n".encode())
    path = write(child.with_name("a.jpg"), plain("red"))
    photo = photo_of(path)
    with opened_guard(child.with_name("notes")) as guard:
        photo.read = decode_alone(photo.found, SMALL, 0.0, guard)
    return photo


@pytest.mark.parametrize(
    "script",
    [
        "out.write(b'R')",
        "out.write(b'RX' + bytes(5000))",
        "out.write(b'RP' + bytes(100))",
        f"out.write(b'R' + {WHOLE!r} + b'more')",
        f"out.write(b'R' + {WHOLE!r}); out.flush(); os._exit(1)",
        f"out.write(b'R' + {WHOLE.replace(b' ', b'x')!r})",
        "out.write(b'RF')",
        "out.write(b'RFno reason\\nsays nobody')",
        "out.write(b'RFforeign-file\\nwhich bytes cannot be')",
        "out.write(b'RF{}')",
        "out.write(b'RF\\xff\\xfe\\n\\xff')",
        "out.write(b'RFcorrupt\\n' + b'x' * (1 << 20))",
        "out.write(b'R' * (1 << 24))",
        "out.write(b'R'); out.flush(); os._exit(3)",
        "out.write(b'R'); out.flush(); exit(0)",
        "while out.write(b'R' * 65536): pass",
    ],
)
def test_garbage_is_no_answer_and_the_fault_of_that_photo(child: Path, script: str) -> None:
    fault = answered(child, script).read.fault
    assert fault is not None
    assert (fault.reason, fault.detail) == (Reason.CORRUPT, NO_ANSWER)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("os.kill(os.getpid(), 11)", "died of SIGSEGV"),
        ("os.kill(os.getpid(), 40)", "died of signal 40"),
        ("out.write(b'R'); out.flush(); os.close(1); time.sleep(3600)", "did not end within"),
        ("out.write(b'R'); out.flush(); time.sleep(3600)", "did not end within"),
    ],
)
def test_how_a_child_ended_is_the_reason_if_it_said_nothing(
    child: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    if "sleep" in script:
        monkeypatch.setattr(alone_module, "WALL_S", 0.5)
    fault = answered(child, script).read.fault
    assert fault is not None
    assert said in fault.detail


@pytest.mark.parametrize("script", ["", "exit(1)", "raise ImportError", "out.write(b'no')", "os.close(1)"])
def test_a_child_that_never_held_the_bytes_tells_nothing_about_the_photo(child: Path, script: str) -> None:
    fault = answered(child, script).read.fault
    assert fault is not None
    assert fault.reason is Reason.UNREADABLE  # it stays, and is tried again


def test_a_text_that_is_no_text_is_made_one(child: Path) -> None:
    fault = answered(child, "out.write(b'RFtruncated\\nhalf \\xff\\xed\\xa0\\x80')").read.fault
    assert fault is not None
    assert fault.reason is Reason.TRUNCATED
    assert fault.detail.encode().startswith(b"half ")


@QUICK
@given(st.binary(max_size=200) | st.binary(max_size=40).map(lambda data: READY + FAULT + data), st.integers(-70, 260))
def test_whatever_a_child_says_and_however_it_ends_is_an_answer_or_a_fault(said: bytes, code: int) -> None:
    geometry = Geometry(size_px=16)
    whole = READY + PIXELS + (said + bytes(PACKED_BYTES))[:PACKED_BYTES] + bytes(16 * 16 * 3)
    for answer in (said, whole):
        try:
            pixels, _ = _understood(answer, code, geometry)
            assert pixels.shape == (16, 16, 3)
        except (PhotoError, ChildProcessError) as fault:
            str(fault).encode()


@QUICK
@given(st.lists(st.tuples(st.integers(0, 1300), st.integers(0, 255)), max_size=40))
def test_an_answer_of_a_readers_child_is_taken_whole_or_not_at_all(changes: list[tuple[int, int]]) -> None:
    read = Read(sha256="0" * 64, fault=PhotoError(Reason.CORRUPT, "why"))
    packed = bytearray(wire.answer(7, read, Geometry(size_px=16)))
    for place, value in changes:
        packed[place % len(packed)] = value
    with suppress(ValueError):
        said = wire.understood(7, packed, Geometry(size_px=16))
        assert (said.fault is None) != (said.pixels is None)
        assert abs(said.unchanged_s) < float("inf")
        if said.fault is not None:
            said.fault.detail.encode()


def test_an_answer_that_belongs_to_another_question_is_none() -> None:
    read = Read(sha256="0" * 64, fault=PhotoError(Reason.CORRUPT, "why"))
    packed = bytearray(wire.answer(7, read, SMALL))
    with pytest.raises(ValueError, match="another answer"):
        wire.understood(8, packed, SMALL)


def test_a_date_that_a_child_says_is_one_or_refused() -> None:
    assert unpack(pack(None)) is None
    for words in (b"2024-02-30T00:00:00", b"yesterday at noon  ", b"\xff" * 19, bytes(19)):
        with pytest.raises(ValueError):
            unpack(words)


HAND = """
import random, socket, sys
connection = socket.socket(fileno=0)
connection.sendall(b"r")
while head := connection.recv(1 << 16):
    connection.sendall(random.Random({seed}).randbytes({size}))
"""


@pytest.mark.parametrize("size", [1, 5000, 1 << 16])
def test_a_readers_child_that_answers_garbage_costs_no_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    (tmp_path / "false" / "daemon" / "decode").mkdir(parents=True)
    for package in ("daemon", "daemon/decode"):
        write(tmp_path / "false" / package / "__init__.py", b"")
    write(tmp_path / "false" / "daemon" / "decode" / "worker.py", HAND.format(seed=size, size=size).encode())
    path = write(tmp_path / "a.jpg", plain("red"))
    with here(tmp_path, hang_s=0.5) as one:
        monkeypatch.syspath_prepend(str(tmp_path / "false"))
        photo = one.seen(path)
        assert not one.child(photo)
        monkeypatch.undo()
        assert one.thread(photo).read.pixels is not None
        assert one.said == []


def test_a_daemon_whose_children_talk_nonsense_files_the_others_and_lives(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "site").mkdir()
    write(tmp_path / "site" / "garbage.py", b"print('RF' + chr(0xdcff).encode('utf-8', 'surrogatepass').hex())")
    write(
        tmp_path / "site" / "sitecustomize.py",
        b"import daemon.decode.isolated\ndaemon.decode.isolated.MODULE = 'garbage'\n",
    )
    large = encoded(Image.new("L", (5000, 5000)), "PNG")
    for name, data in {"a.png": large, "b.jpg": plain("blue")}.items():
        write(tmp_path / "in" / name, data, mtime_s=1e9)
    arguments = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    root = Path(__file__).resolve().parents[2]
    done = run("sort", *arguments, "--give-up-after", "0.1", env={"PYTHONPATH": f"{tmp_path / 'site'}:{root}"})
    assert done.returncode == 0, done.stderr
    assert sorted(tree(tmp_path / "out")) == ["_failed/a.png", "_failed/a.png.why.txt", "blue/b.jpg"]
    assert NO_ANSWER in (tmp_path / "out" / "_failed" / "a.png.why.txt").read_text()

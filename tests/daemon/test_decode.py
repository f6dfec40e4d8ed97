"""One read gives hash and pixels; what cannot be read is a result with a reason, and nothing is read needlessly."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import Reason
from contract.geometry import MAX_FILE_BYTES, Geometry, to_input
from daemon.classify.decide import decide_fault
from daemon.decode.decode import decode
from daemon.photo import Outcome, Photo
from tests.daemon.conftest import Stranger
from tests.daemon.support import digest, encoded, opened_guard, photo_of, plain, rules, write

SMALL = Geometry(size_px=32)
PHOTO = encoded(Image.linear_gradient("L").convert("RGB"), quality=95)


def decoded(path: Path, meddle: Callable[[], object] = lambda: None, wall_s: float = 0.0) -> Photo:
    """Decode the file that is at `path` now, after somebody meddled with it."""
    photo = photo_of(path)
    meddle()
    with opened_guard(path.with_name(".decoding")) as guard:
        photo.read = decode(photo.found, SMALL, wall_s, guard)
    return photo


def reason(photo: Photo) -> Reason | None:
    assert (photo.read.pixels is None) == (photo.read.fault is not None)
    return photo.read.fault.reason if photo.read.fault else None


@pytest.mark.parametrize("name", ["a.jpg", "a.JPG", "a", "a.txt", "x" * 255, os.fsdecode(b"caf\xe9.jpg")])
def test_hash_and_pixels_are_those_of_the_file_whatever_its_name(tmp_path: Path, name: str) -> None:
    photo = decoded(write(tmp_path / name, PHOTO))
    assert reason(photo) is None
    assert photo.read.sha256 == digest(PHOTO)
    np.testing.assert_array_equal(photo.read.pixels, to_input(PHOTO, SMALL))
    assert set(photo.read.times_ms) == {"read", "decode"}


def test_the_file_is_opened_once_and_its_descriptor_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    real = os.open

    def counting(path: object, *rest: object, **named: object) -> int:
        descriptor = real(path, *rest, **named)  # type: ignore[arg-type]
        if str(path) == str(tmp_path / "a.jpg"):
            opened.append(descriptor)
        return descriptor

    monkeypatch.setattr(os, "open", counting)
    for data in (PHOTO, b"", b"no photo", PHOTO[:200]):
        decoded(write(tmp_path / "a.jpg", data))
    assert len(opened) == 4
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replaced(path: Path) -> None:
    write(path.with_name("b"), PHOTO).rename(path)


def linked(path: Path) -> None:
    path.rename(path.with_name("b"))
    path.symlink_to("b")


def made_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("meddle", [grown, replaced, linked, made_a_fifo, made_a_folder, Path.unlink])
def test_another_file_than_the_one_that_settled_is_not_read(tmp_path: Path, meddle: Callable[[Path], None]) -> None:
    path = write(tmp_path / "a.jpg", PHOTO)
    photo = decoded(path, lambda: meddle(path))
    assert reason(photo) is Reason.CHANGED
    assert photo.read.sha256 == ""


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.jpg", b"", Reason.EMPTY),
        ("a.jpg", b"just text", Reason.NOT_A_PHOTO),
        ("a.jpg", PHOTO[:300], Reason.TRUNCATED),
        ("a.jpg", b"\xff\xd8\xff" + bytes(50), Reason.CORRUPT),
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(40), Reason.CORRUPT),
        ("notes.txt", b"just text", Reason.FOREIGN),
        ("empty", b"", Reason.FOREIGN),
        ("a.mov", b"\0\0\0\x14ftypqt  ", Reason.FOREIGN),
    ],
)
def test_each_bad_file_has_its_reason(tmp_path: Path, name: str, data: bytes, why: Reason) -> None:
    assert reason(decoded(write(tmp_path / name, data))) is why


@pytest.mark.parametrize(("name", "why"), [("film.mov", Reason.FOREIGN), ("film.jpg", Reason.FILE_TOO_LARGE)])
def test_of_ten_gigabytes_only_the_beginning_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, why: Reason
) -> None:
    monkeypatch.delattr(os, "read")
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(10 << 30)
    photo = decoded(path)
    assert reason(photo) is why
    assert photo.read.sha256 == ""


def test_the_largest_file_that_is_read_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_FILE_BYTES == 512 << 20
    monkeypatch.setattr("daemon.decode.contents.MAX_FILE_BYTES", len(PHOTO))
    assert decoded(write(tmp_path / "a.jpg", PHOTO)).read.sha256 == digest(PHOTO)
    assert reason(decoded(write(tmp_path / "b.jpg", PHOTO + b"x"))) is Reason.FILE_TOO_LARGE


def test_a_photo_larger_than_one_read_has_the_hash_of_all_its_bytes(tmp_path: Path) -> None:
    data = plain("red") + os.urandom(1 << 20) * 34
    assert decoded(write(tmp_path / "a.jpg", data)).read.sha256 == digest(data)


def test_the_age_of_a_photo_is_that_of_its_last_change_and_may_lie_in_the_future(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", PHOTO, mtime_s=2_000_000_000)
    assert decoded(path, wall_s=2_000_000_060).read.unchanged_s == 60.0
    assert decoded(path, wall_s=1_999_999_000).read.unchanged_s == -1000.0
    os.utime(path, (0, 0))  # a copy that kept its old time changed just now all the same
    changed_s = path.stat().st_ctime
    assert decoded(path, wall_s=changed_s + 5).read.unchanged_s == pytest.approx(5, abs=0.01)


def test_memory_that_is_short_is_no_fault_of_the_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(os, "read", exhausted)
    photo = decoded(write(tmp_path / "a.jpg", PHOTO))
    monkeypatch.undo()
    assert photo.read.fault is not None
    assert decide_fault(photo.read.fault, 1e9, rules()).outcome is Outcome.AGAIN


SCRIPT = """
from daemon.decode.decode import decode
from daemon.classify.decide import decide_fault
from daemon.decode.guard import Guard
from daemon.decode.suspects import CrashJournal
from daemon.photo import Found, Identity
from contract.geometry import Geometry
from tests.daemon.support import rules
path = Path({!r})
found = Found(path, Identity.of(path.stat()))
read = decode(found, Geometry(size_px=32), 1e10, Guard(CrashJournal(path.with_name(".decoding"))))
print(read.fault, decide_fault(read.fault, 1e9, rules()).outcome)
"""


def test_a_photo_without_read_permission_is_tried_again_and_never_failed(stranger: Stranger) -> None:
    path = write(stranger.folder / "a.jpg", PHOTO)
    path.chmod(0)
    done = stranger.python(SCRIPT.format(str(path)))
    assert done.stdout == "unreadable: it cannot be read (Permission denied) again\n"

"""What cannot be read is refused with the right reason, in time, in little memory, and without noise."""

import io
import re
import struct
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from common.errors import PhotoError, Reason
from contract.formats import PILLOW_FORMATS, SNIFF_BYTES, sniff
from contract.geometry import Geometry, to_input
from tests.contract.photos import FORMATS, SMALL, encoded, example, scene

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # as in production, see contract/geometry.py

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 400
LIBTIFF = ("tiff-lzw", "tiff-jpeg")
"""Decoded by a C library that writes its complaints to the process's standard error, past Python."""


def refusal(source: bytes | Path) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        to_input(source, SMALL)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    return caught.value


def png_header(width: int, height: int) -> bytes:
    """Write a PNG that promises a size and holds one compressed row."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0" * 99))]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def with_jpeg_size(data: bytes, width: int, height: int) -> bytes:
    """Overwrite the size in a JPEG's frame header."""
    start = next(match.start() for match in re.finditer(rb"\xff[\xc0\xc2]\0\x11\x08", data))
    return data[: start + 5] + struct.pack(">HH", height, width) + data[start + 9 :]


@cache
def huge_jpeg() -> bytes:
    return encoded(Image.new("L", (16384, 12208), 90), "JPEG", quality=20)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"Dear diary, this is text named .jpg", Reason.NOT_A_PHOTO),
        (b"\0" * 4096, Reason.NOT_A_PHOTO),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", Reason.NOT_A_PHOTO),
        (b"\xff\xd8\xff", Reason.CORRUPT),
        (HEIC, Reason.CORRUPT),
        (png_header(30_000, 30_000), Reason.TOO_LARGE),
        (png_header(12_000, 12_000), Reason.TOO_LARGE),
        (with_jpeg_size(example("jpeg"), 65_000, 65_000), Reason.TOO_LARGE),
        (with_jpeg_size(example("progressive"), 15_000, 14_000), Reason.TOO_LARGE),
    ],
    ids=["empty", "text", "zeros", "eps", "jpeg-magic", "heic", "png-30000", "png-12000", "jpeg-65000", "progressive"],
)
def test_what_is_no_readable_photo_is_refused_with_its_reason(data: bytes, reason: Reason) -> None:
    assert refusal(data).reason is reason


def test_heic_where_its_library_is_missing_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contract.geometry.readable_formats", lambda: PILLOW_FORMATS)
    fault = refusal(HEIC)
    assert fault.reason is Reason.UNSUPPORTED
    assert "pi-heif" in fault.detail


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_ends_early_is_noticed(name: str, share: float) -> None:
    data = example(name)
    if name == "mpo":  # its second picture is not needed
        data = data[: data.rindex(b"\xff\xd8\xff")]
    assert refusal(data[: int(len(data) * share)]).reason in (Reason.TRUNCATED, Reason.CORRUPT)


@pytest.mark.parametrize("name", ["jpeg", "progressive", "png", "gif", "bmp", "tiff", "ppm"])
def test_a_file_that_ends_early_is_said_to_be_truncated(name: str) -> None:
    data = example(name)
    assert refusal(data[: int(len(data) * 0.6)]).reason is Reason.TRUNCATED


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\xff\xff\xff\x7f\xff\xff\xff\xff\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x05\0\x01\0\0\0\x1a\0\0\0\0\0\0\0" + b"\0" * 8,
        b"Exif\0\0nonsense" * 9,
    ],
    ids=["empty", "cut", "text-that-is-not-there", "fraction-by-zero", "nonsense"],
)
def test_damaged_exif_does_not_make_a_picture_unreadable(pillow_format: str, exif: bytes) -> None:
    options = {"lossless": True} if pillow_format == "WEBP" else {}
    got = to_input(encoded(scene(), pillow_format, exif=exif, **options), SMALL)
    assert np.array_equal(got, to_input(encoded(scene(), pillow_format, **options), SMALL))


def test_a_200_megapixel_jpeg_is_read() -> None:
    assert to_input(huge_jpeg(), Geometry()).mean() == pytest.approx(90, abs=3)


def test_a_200_megapixel_jpeg_takes_little_memory_and_damaged_files_make_no_noise(tmp_path: Path, root: Path) -> None:
    (tmp_path / "huge").write_bytes(huge_jpeg())
    rng = np.random.default_rng(5)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "camera" * 9
    files = [
        encoded(scene(), "JPEG", exif=exif.tobytes()[:40]),
        *(example(name) for name in FORMATS if name not in LIBTIFF),
    ]
    for number, data in enumerate(files * 12):
        damaged = bytearray(data)
        for place in rng.integers(0, len(damaged), 6):
            damaged[place % 600 % len(damaged)] ^= 1 << int(rng.integers(0, 8))
        (tmp_path / f"damaged{number}").write_bytes(damaged)
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from common.errors import PhotoError; from contract.geometry import Geometry, to_input\n"
        "base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "to_input(Path(sys.argv[1], 'huge'), Geometry())\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) >> 10)\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try: to_input(path, Geometry())\n"
        "    except PhotoError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=root, capture_output=True, text=True)
    assert done.stderr == ""
    assert int(done.stdout) < 100


def test_what_pillow_logs_about_a_damaged_file_reaches_nobody(caplog: pytest.LogCaptureFixture) -> None:
    samples = struct.pack("<HHII", 277, 3, 1, 3)
    data = example("tiff")
    assert samples in data
    assert refusal(data.replace(samples, samples[:8] + b"\x63\0\0\0")).reason is Reason.CORRUPT
    assert not caplog.records


@pytest.mark.parametrize("path", ["missing.jpg", ".", "nul\0.jpg"])
def test_a_path_that_cannot_be_read_is_unreadable(tmp_path: Path, path: str) -> None:
    assert refusal(tmp_path / path).reason is Reason.UNREADABLE


def test_a_picture_that_was_opened_before_fails_like_its_file() -> None:
    data = example("jpeg")
    with Image.open(io.BytesIO(data[: len(data) // 2])) as image, pytest.raises(PhotoError) as caught:
        to_input(image, SMALL)
    assert caught.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_known_by_its_first_bytes(name: str) -> None:
    assert sniff(example(name)[:SNIFF_BYTES]) is not None or name == "dib"  # a DIB announces nothing


@pytest.mark.parametrize(
    "head", [b"", b"P", b"P7\n", b"BM hello world", b"RIFF....WAVE", b"\0\0\0\x18ftypmp42", b"GIF"]
)
def test_what_only_resembles_a_photo_is_not_taken_for_one(head: bytes) -> None:
    assert sniff(head) is None

"""Broken metadata make no broken picture: what every viewer opens is read, and a damaged picture is still refused."""

import io
import struct
import zlib
from functools import cache

import numpy as np
import pytest
from PIL import Image

from common.errors import PhotoError, Reason
from contract.geometry import Pixels, to_input
from contract.readers.opening import open_picture
from contract.readers.picture_parts import MAX_CHUNKS, picture_parts
from contract.readers.pieces import MAX_PIECES, Pieces
from tests.contract.photos import SMALL, encoded, scene

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # as in production, see contract/geometry.py

BIG = bytes(1_200_000)
LOSSLESS_WEBP = {"lossless": True}


@cache
def plain(pillow_format: str) -> bytes:
    return encoded(scene(), pillow_format, **(LOSSLESS_WEBP if pillow_format == "WEBP" else {}))


@cache
def pixels(pillow_format: str) -> Pixels:
    return to_input(plain(pillow_format), SMALL)


def assert_read(data: bytes, pillow_format: str) -> None:
    assert np.array_equal(to_input(data, SMALL), pixels(pillow_format))
    with open_picture(data) as image:
        assert image.size == scene().size


def chunk(name: bytes, data: bytes, crc: int | None = None) -> bytes:
    return (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data) if crc is None else crc)
    )


def png(extra: bytes, *, behind: bool = False) -> bytes:
    at = len(plain("PNG")) - 12 if behind else 33
    return plain("PNG")[:at] + extra + plain("PNG")[at:]


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        (b"iCCP", b"display\0\0" + zlib.compress(BIG)), (b"iCCP", b"display\0\x09" + zlib.compress(b"x")),
        (b"iCCP", b""),
        (b"zTXt", b"prompt\0\0" + zlib.compress(BIG)), (b"zTXt", b"Comment\0\x09hello"),
        (b"zTXt", b"Comment\0\0hello"),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(BIG)), (b"iTXt", b"C\0\1\x09\0\0x"),
        (b"iTXt", b"C\0\1"),
        (b"tEXt", b"workflow\0" + b"x" * 70_000_000), (b"tEXt", b""),
        (b"gAMA", b""), (b"gAMA", b"\0" * 3), (b"pHYs", b"\0"), (b"cHRM", b"\0" * 5), (b"sRGB", b""),
        (b"eXIf", b"junk"),
        (b"tRNS", b"\0"), (b"tIME", b""), (b"bKGD", b""), (b"sBIT", b""), (b"acTL", b""), (b"fcTL", b""),
        (b"fdAT", b""),
        (b"fcTL", b"\0" * 26), (b"fdAT", b"\0\0\0\0abc"), (b"caBX", b"x"), (b"prVt", b"x"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else None,
)  # fmt: skip
def test_a_broken_chunk_beside_the_picture_of_a_png_is_left_out(name: bytes, data: bytes, behind: bool) -> None:
    assert_read(png(chunk(name, data), behind=behind), "PNG")
    if len(data) < 1000:
        assert_read(png(chunk(name, data, crc=7), behind=behind), "PNG")


@pytest.mark.parametrize(
    ("offset", "value"), [(4, b"\0\0\0\x09"), (8, b"\0\0\xff\xff"), (8, bytes(4)), (16, b"\0\0\xff\xff")]
)
@pytest.mark.parametrize("frame", [0, 1])
def test_of_an_apng_with_a_wrong_frame_the_picture_is_read(frame: int, offset: int, value: bytes) -> None:
    data = bytearray(
        encoded(scene(), "PNG", save_all=True, append_images=[scene().transpose(Image.Transpose.ROTATE_180)])
    )
    at = data.index(b"fcTL")
    at = data.index(b"fcTL", at + 4) if frame else at
    data[at + offset : at + offset + len(value)] = value
    data[at + 30 : at + 34] = struct.pack(">I", zlib.crc32(data[at : at + 30]))
    assert_read(bytes(data), "PNG")


def test_a_turn_is_kept_where_other_metadata_are_left_out() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    broken = {"PNG": (33, chunk(b"pHYs", b"")), "JPEG": (2, b"\xff\xe2\0\x0eICC_PROFILE\0"), "WEBP": (0, b"")}
    for pillow_format, (at, extra) in broken.items():
        options = LOSSLESS_WEBP if pillow_format == "WEBP" else {}
        whole = encoded(scene(), pillow_format, exif=exif, **options)
        assert np.array_equal(to_input(whole[:at] + extra + whole[at:], SMALL), to_input(whole, SMALL))


@pytest.mark.parametrize(
    "segment",
    [
        (0xE0, b""), (0xE0, b"JFIF\0"), (0xE1, b"Exif\0\0nonsense"), (0xE1, b"http://ns.adobe.com/xap/1.0/\0<\xff"),
        (0xE2, b"ICC_PROFILE\0"), (0xE2, b"ICC_PROFILE\0\1"), (0xE2, b"ICC_PROFILE\0\2\5xx"), (0xE2, b"MPF\0"),
        (0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff"), (0xED, b"Photoshop 3.0\x008BIM\4\4\xff\xff\xff\xff"), (0xEE, b"Adobe"),
        (0xFE, b""),
    ],
    ids=str,
)  # fmt: skip
def test_a_broken_segment_beside_the_picture_of_a_jpeg_is_left_out(segment: tuple[int, bytes]) -> None:
    marker, data = segment
    extra = struct.pack(">BBH", 0xFF, marker, 2 + len(data)) + data
    assert_read(plain("JPEG")[:2] + extra + plain("JPEG")[2:], "JPEG")
    assert_read(plain("JPEG")[:2] + extra + b"\0\0" + plain("JPEG")[2:], "JPEG")


def test_the_colours_of_a_jpeg_stay_those_that_its_segments_say() -> None:
    cmyk = encoded(scene().convert("CMYK"), "JPEG")
    broken = cmyk[:2] + b"\xff\xe2\0\x0eICC_PROFILE\0" + cmyk[2:]
    assert np.array_equal(to_input(broken, SMALL), to_input(cmyk, SMALL))


@pytest.mark.parametrize(
    ("flags", "before", "behind"),
    [
        (0x08, b"", b"EXIF\4\0\0\0junk"), (0x08, b"", b"EXIF\xff\xff\0\0junk"), (0x20, b"", b""), (0x08, b"", b""),
        (0x20, b"ICCP\1\0\0\0j\0", b""), (0x20, b"", b"ICCP\1\0\0\0j\0"), (0x04, b"", b"XMP \2\0\0\0\xff<"),
        (0, b"ABCD\2\0\0\0zz", b""), (0x2C, b"", b"ABCD\xff\xff\xff\xff"),
    ],
)  # fmt: skip
def test_a_broken_chunk_beside_the_picture_of_a_webp_is_left_out(flags: int, before: bytes, behind: bytes) -> None:
    size = b"".join((side - 1).to_bytes(3, "little") for side in scene().size)
    body = b"WEBPVP8X\x0a\0\0\0" + bytes([flags, 0, 0, 0]) + size + before + plain("WEBP")[12:] + behind
    assert_read(b"RIFF" + struct.pack("<I", len(body)) + body, "WEBP")


@pytest.mark.parametrize(
    "extra",
    [
        b"!\xfe\0", b"!\xff\x03abc\0", b"!\xff\x0bNETSCAPE2.0\0", b"!\xff\x0bNETSCAPE2.0\1\1\0", b"!\xf9\0",
        b"!\xf9\2\0\0\0", b"!\x01\x0c" + bytes(12) + b"\1a\0", b"!\x77\1a\0", b"\0\0",
        b"!\xff\x0bXMP DataXMP<x>\1" + bytes(range(255, -1, -1)) + b"\0",
    ],
)  # fmt: skip
def test_an_odd_extension_of_a_gif_is_left_out(extra: bytes) -> None:
    data = plain("GIF")
    at = 13 + (3 << (data[10] & 7) + 1)
    assert_read(data[:at] + extra + data[at:], "GIF")


@pytest.mark.parametrize(
    "damage", [(2, b"\xff\xff"), (2, b"\0\0"), (4, b"\xff\xff\xff\xff"), (4, b"\xff\xff\xff\x7f"), (8, b"\xff" * 4)]
)
@pytest.mark.parametrize("tag", [270, 282, 306, 700, 34675])
def test_a_broken_tag_beside_the_picture_of_a_tiff_is_left_out(tag: int, damage: tuple[int, bytes]) -> None:
    info = {270: "a description", 306: "2019:07:14 10:11:12", 700: b"<xmp>", 34675: b"profile"}
    data = bytearray(encoded(scene(), "TIFF", tiffinfo=info, dpi=(72, 72)))
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    (at,) = (at for at in range(start + 2, start + 2 + 12 * count, 12) if struct.unpack_from("<H", data, at)[0] == tag)
    offset, value = damage
    data[at + offset : at + offset + len(value)] = value
    assert_read(bytes(data), "TIFF")


def spoilt(pillow_format: str) -> list[bytes]:
    """The picture itself is damaged or cut, with broken metadata before it."""
    data = {
        "PNG": png(chunk(b"pHYs", b"")),
        "JPEG": plain("JPEG")[:2] + b"\xff\xe2\0\x0eICC_PROFILE\0" + plain("JPEG")[2:],
        "GIF": plain("GIF")[: 13 + 768] + b"!\xf9\0" + plain("GIF")[13 + 768 :],
        "WEBP": plain("WEBP"),
        "TIFF": plain("TIFF"),
    }[pillow_format]
    return [data[: int(share * len(data))] for share in (0.4, 0.6, 0.9)]


@pytest.mark.parametrize("pillow_format", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
def test_a_cut_picture_is_refused_as_before(pillow_format: str) -> None:
    for data in spoilt(pillow_format):
        with pytest.raises(PhotoError) as caught:
            to_input(data, SMALL)
        assert caught.value.reason in (Reason.CORRUPT, Reason.TRUNCATED)


@pytest.mark.parametrize("name", [b"IHDR", b"IDAT"])
def test_a_critical_chunk_of_a_png_is_still_checked(name: bytes) -> None:
    data = bytearray(png(chunk(b"pHYs", b"")))
    at = data.index(name)
    data[at + 8] ^= 1
    with pytest.raises(PhotoError):
        to_input(bytes(data), SMALL)


def test_a_picture_that_is_too_large_behind_broken_metadata_is_said_to_be_too_large() -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    data = plain("PNG")[:8] + header + chunk(b"zTXt", b"Comment\0\x09hello") + plain("PNG")[33:]
    with pytest.raises(PhotoError) as caught:
        to_input(data, SMALL)
    assert caught.value.reason is Reason.TOO_LARGE


def test_pieces_read_like_the_file_that_they_make() -> None:
    data = bytes(range(200))
    whole = data[:3] + b"new" + data[50:60] + data[190:]
    with io.BufferedReader(Pieces(data, [(0, 3), b"new", (50, 55), (55, 60), b"", (190, 200)])) as file:
        assert file.read() == whole
        assert (file.seek(-4, io.SEEK_END), file.read(9)) == (len(whole) - 4, whole[-4:])
        assert (file.seek(2), file.read(5), file.tell(), file.read(0)) == (2, whole[2:7], 7, b"")
        assert (file.seek(500), file.read(1)) == (500, b"")


@pytest.mark.parametrize(
    "flood",
    [
        b"\x89PNG\r\n\x1a\n" + (chunk(b"IDAT", b"") + chunk(b"prVt", b"")) * (MAX_PIECES + 1),
        b"\x89PNG\r\n\x1a\n" + chunk(b"prVt", b"") * (MAX_CHUNKS + 1),
        b"\xff\xd8" + b"\xff\xfe\0\2" * (MAX_CHUNKS + 1),
        b"GIF89a" + bytes(7) + b"!\xfe\0" * (MAX_CHUNKS + 1),
        b"GIF89a" + bytes(7) + b"!\xfe" + b"\1a" * (MAX_CHUNKS + 1),
        b"RIFF" + struct.pack("<I", 4 + 8 * (MAX_CHUNKS + 1)) + b"WEBP" + b"ABCD\0\0\0\0" * (MAX_CHUNKS + 1),
        b"II*\0\x08\0\0\0" + b"\xff" * 70_000,
    ],
    ids=["pieces", "png", "jpeg", "gif", "gif-blocks", "webp", "tiff"],
)
def test_a_flood_of_parts_is_not_looked_through(flood: bytes) -> None:
    assert picture_parts(flood) is None

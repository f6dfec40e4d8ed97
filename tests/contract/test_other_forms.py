"""TIFF and BMP in forms that scanners and laboratories write, and Pillow does not take, show the same picture."""

import io
import random
import struct
import zlib
from contextlib import suppress
from itertools import chain

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from common.errors import PhotoError, Reason
from contract.geometry import Pixels, to_input
from contract.readers.opening import open_picture
from tests.contract.photos import SMALL, encoded, scene

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # as in production, see contract/geometry.py

RGB = np.asarray(scene())
GREY = np.asarray(scene().convert("L"))
CODES = {3: "H", 4: "I"}
Tags = dict[int, list[int]]


def error(data: bytes, wanted: NDArray[np.uint8]) -> float:
    got: Pixels = to_input(data, SMALL)
    return float(np.abs(got.astype(int) - to_input(encoded(Image.fromarray(wanted), "PNG"), SMALL)).mean())


def tiff(segments: list[bytes], tags: Tags, order: str = "<", *, big: bool = False) -> bytes:
    """Write a TIFF of strips, or of tiles where the tags say how large they are."""
    offset, room, head = ("Q", 8, 16) if big else ("I", 4, 8)
    ends = [head]
    for segment in segments:
        ends.append(ends[-1] + len(segment))
    places = (324, 325) if 322 in tags else (273, 279)
    tags = tags | {places[0]: ends[:-1], places[1]: [*map(len, segments)]}
    start = ends[-1] + ends[-1] % 2
    behind = start + (8 + 20 * len(tags) + 8 if big else 2 + 12 * len(tags) + 4)
    entries, extra = b"", b""
    for tag, numbers in sorted(tags.items()):
        kind = 4 if max(numbers) > 65_535 or tag in places else 3
        packed = struct.pack(f"{order}{len(numbers)}{CODES[kind]}", *numbers)
        if len(packed) > room:
            packed, extra = struct.pack(order + offset, behind + len(extra)), extra + packed
        entries += struct.pack(order + "HH" + offset, tag, kind, len(numbers)) + packed.ljust(room, b"\0")
    first = struct.pack(order + "HHHQ", 43, 8, 0, start) if big else struct.pack(order + "HI", 42, start)
    whole = (b"II" if order == "<" else b"MM") + first + b"".join(segments) + bytes(ends[-1] % 2)
    return whole + struct.pack(order + ("Q" if big else "H"), len(tags)) + entries + bytes(8 if big else 4) + extra


def tags_of(samples: NDArray[np.generic], colours: int, **more: int) -> Tags:
    height, width, channels = samples.shape
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    bits = 8 * samples.dtype.itemsize
    return {
        256: [width], 257: [height], 258: [bits] * channels, 259: [more.get("compression", 1)], 262: [colours],
        277: [channels], 278: [more.get("rows", height)], 284: [1], 339: [kind] * channels,
    }  # fmt: skip


def in_order(samples: NDArray[np.generic], order: str) -> bytes:
    return samples.astype(samples.dtype.newbyteorder("<" if order == "<" else ">")).tobytes()


def lab(dtype: str) -> NDArray[np.generic]:
    srgb, cielab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.applyTransform(scene(), ImageCms.buildTransform(srgb, cielab, "RGB", "LAB"))
    assert image is not None
    values = np.asarray(image).astype(int)
    values[..., 1:] = (values[..., 1:] + 128) % 256 - 128  # a and b are signed
    return (values * (1 if dtype == "u1" else 256)).astype(dtype if dtype == "u1" else "i2").view(dtype)


SAMPLES = {
    "rgb float 32": ((RGB / 255).astype("f4"), 2), "rgb float 16": ((RGB / 255).astype("f2"), 2),
    "rgb float 64": ((RGB / 255).astype("f8"), 2), "rgb float to 255": (RGB.astype("f4"), 2),
    "rgb float to 65535": ((RGB * 257.0).astype("f4"), 2), "rgb 32": (RGB.astype("u4") << 24, 2),
    "grey float 16": ((GREY[..., None] / 255).astype("f2"), 1),
    "grey float 64": ((GREY[..., None] / 255).astype("f8"), 1),
    "grey and alpha 16": (np.dstack([GREY.astype("u2") * 257, np.full(GREY.shape, 65_535, "u2")]), 1),
    "cielab 16": (lab("u2"), 8), "icclab 8": (lab("u1") ^ np.array([0, 128, 128], "u1"), 9),
}  # fmt: skip
ONLY_BIG_ENDIAN = {
    "rgb 8": (RGB, 2), "rgb 16": (RGB.astype("u2") * 257, 2), "grey 8": (GREY[..., None], 1),
    "white is zero": (255 - GREY[..., None], 0), "cmyk 8": (np.asarray(scene().convert("CMYK")), 5),
    "cielab 8": (lab("u1"), 8),
}  # fmt: skip


def shown(colours: int) -> NDArray[np.uint8]:
    return GREY if colours < 2 else RGB


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_tiff_of_other_samples_shows_the_same_picture(name: str, order: str, big: bool) -> None:
    samples, colours = SAMPLES[name]
    data = tiff([in_order(samples, order)], tags_of(samples, colours) | {338: [2]}, order, big=big)
    with open_picture(data) as image:
        assert image.size == scene().size
    assert error(data, shown(colours)) < 4


@pytest.mark.parametrize("name", ONLY_BIG_ENDIAN)
def test_a_big_endian_bigtiff_shows_the_same_picture(name: str) -> None:
    samples, colours = ONLY_BIG_ENDIAN[name]
    assert error(tiff([in_order(samples, ">")], tags_of(samples, colours), ">", big=True), shown(colours)) < 4


def test_numbers_that_are_none_are_black() -> None:
    samples = (RGB / 255).astype("f4")
    samples[:20], samples[20:30], samples[30:40] = np.nan, np.inf, -np.inf
    wanted = RGB.copy()
    wanted[:40] = 0
    assert error(tiff([samples.tobytes()], tags_of(samples, 2)), wanted) < 4


def differences(samples: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.diff(samples, axis=1, prepend=samples[:, :1] * 0)


def float_differences(samples: NDArray[np.generic]) -> bytes:
    rows, _, channels = samples.shape
    raw = (
        np.ascontiguousarray(samples)
        .astype(">f4")
        .view("u1")
        .reshape(rows, -1, 4)
        .transpose(0, 2, 1)
        .reshape(rows, -1, channels)
    )
    return np.diff(raw, axis=1, prepend=np.zeros((rows, 1, channels), "u1")).tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
def test_compressed_samples_are_expanded_and_their_differences_summed(order: str) -> None:
    floats, numbers = (RGB / 255).astype("f4"), RGB.astype("u4") << 24
    cases = [
        ([in_order(floats, order)], floats, {}), ([float_differences(floats)], floats, {317: [3]}),
        ([in_order(differences(numbers), order)], numbers, {317: [2]}),
        ([in_order(floats[:50], order), in_order(floats[50:], order)], floats, {278: [50]}),
    ]  # fmt: skip
    for segments, samples, more in cases:
        packed = [*map(zlib.compress, segments)]
        assert error(tiff(packed, tags_of(samples, 2, compression=8) | more, order), RGB) < 4


def test_lzw_is_expanded() -> None:
    floats = (RGB / 255).astype("f4")
    flat = Image.fromarray(np.ascontiguousarray(floats).view("u1").reshape(96, -1))
    with Image.open(io.BytesIO(encoded(flat, "TIFF", compression="tiff_lzw"))) as image:
        tags = dict(image.tag_v2)  # type: ignore[attr-defined]
        file = encoded(flat, "TIFF", compression="tiff_lzw")
    offsets, counts = tags[273], tags[279]
    strips = [file[at : at + count] for at, count in zip(offsets, counts, strict=True)]
    assert error(tiff(strips, tags_of(floats, 2, compression=5, rows=tags[278])), RGB) < 4


def test_tiles_and_planes_are_put_together() -> None:
    floats = (RGB / 255).astype("f4")
    padded = np.pad(floats, ((0, 32), (0, 32), (0, 0)))
    tiles = [padded[y : y + 64, x : x + 64].tobytes() for y in (0, 64) for x in (0, 64, 128)]
    assert error(tiff(tiles, tags_of(floats, 2) | {322: [64], 323: [64]}), RGB) < 4
    planes = [floats[top : top + 48, :, channel].tobytes() for channel in range(3) for top in (0, 48)]
    assert error(tiff(planes, tags_of(floats, 2) | {284: [2], 278: [48]}), RGB) < 4


def test_a_turned_tiff_of_floats_stands_upright() -> None:
    floats = (RGB / 255).astype("f4")
    for order, big in (("<", False), (">", True)):
        data = tiff([in_order(floats, order)], tags_of(floats, 2) | {274: [3]}, order, big=big)
        assert error(data, RGB[::-1, ::-1]) < 4


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({258: [24] * 3, 339: [3] * 3}, "24 bits, floats"), ({339: [2] * 3}, "signed numbers"),
        ({262: [32_803]}, "32803"),
        ({259: [34_712]}, "compression of kind 34712"), ({258: [32, 16, 8]}, "channels of different kinds"),
    ],
)  # fmt: skip
def test_what_stays_unread_is_said(tags: Tags, why: str) -> None:
    samples = RGB.astype("u4") << 24
    with pytest.raises(PhotoError) as caught:
        to_input(tiff([samples.tobytes()], tags_of(samples, 2) | tags), SMALL)
    assert caught.value.reason is Reason.UNSUPPORTED
    assert why in caught.value.detail


def bmp(
    bits: int, masks: tuple[int, ...], *, header: int = 40, method: int = 3, upside_down: bool = True, alpha: int = 255
) -> bytes:
    """Write the scene with each colour at the bits of its mask."""
    words = np.zeros(GREY.shape, np.uint64)
    for channel, mask in enumerate(masks):
        values = RGB[..., channel] if channel < 3 else np.full(GREY.shape, alpha)
        most = (mask // (mask & -mask)) if mask else 0
        words |= np.uint64(mask & -mask) * (
            (values.astype(np.uint64) * np.uint64(most) + np.uint64(127)) // np.uint64(255)
        )
    words = words[::-1] if upside_down else words
    pixels = words.astype(f"<u{bits // 8}").tobytes()
    height = 96 if upside_down else -96
    head = struct.pack("<IiiHHIIiiII", header, 160, height, 1, bits, method, len(pixels), 0, 0, 0, 0)
    named = struct.pack(f"<{len(masks)}I", *masks)
    head += named if header == 40 else named.ljust(header - 40, b"\0")[: header - 40]
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels


MASKS_16 = [
    (0xF800, 0x7E0, 0x1F),
    (0x7C00, 0x3E0, 0x1F),
    (0xF00, 0xF0, 0xF),
    (0x1F, 0x7E0, 0xF800),
    (0xF00, 0xF0, 0xF, 0xF000),
]
MASKS_32 = [
    (0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000), (0xFF000000, 0xFF0000, 0xFF00),
    (0xFF00, 0xFF0000, 0xFF000000, 0xFF),
    (0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0x3FF00000, 0xFFC00, 0x3FF), (0xF800, 0x7E0, 0x1F),
    (0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000),
]  # fmt: skip


@pytest.mark.parametrize("header", [40, 52, 56, 108, 124])
@pytest.mark.parametrize(
    ("bits", "masks"), [*((16, masks) for masks in MASKS_16), *((32, masks) for masks in MASKS_32)]
)
def test_a_bmp_with_its_colours_at_any_bits_shows_the_same_picture(
    bits: int, masks: tuple[int, ...], header: int
) -> None:
    if len(masks) == 4 and header == 40:
        data = bmp(bits, masks, method=6)
    else:
        data = bmp(bits, masks if header >= 56 else masks[:3], header=header)
    with open_picture(data) as image:
        assert image.size == scene().size
    assert error(data, RGB) < 6


def test_a_bmp_of_any_bits_may_stand_on_its_feet_and_have_no_use_of_its_transparency() -> None:
    masks = (0xFF00, 0xFF0000, 0xFF000000, 0xFF)
    assert error(bmp(32, masks, header=56, upside_down=False), RGB) < 4
    assert error(bmp(32, masks, header=56, alpha=0), RGB) < 4
    assert error(bmp(32, masks, header=56, alpha=128), (RGB // 2 + 127).astype(np.uint8)) < 4


FILES = {
    "bmp": bmp(32, (0xFF, 0xFF00, 0xFF0000)),
    "tiff": tiff([(RGB / 255).astype("f4").tobytes()], tags_of((RGB / 255).astype("f4"), 2)),
    "bigtiff": tiff([in_order(RGB, ">")], tags_of(RGB, 2), ">", big=True),
    "deflate": tiff(
        [zlib.compress((RGB / 255).astype("f4").tobytes())], tags_of((RGB / 255).astype("f4"), 2, compression=8)
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_cut_one_is_refused_and_a_damaged_one_gives_pixels_or_a_photo_error(name: str) -> None:
    whole = FILES[name]
    for share in (0.01, 0.3, 0.9):
        with pytest.raises(PhotoError):
            to_input(whole[: int(share * len(whole))], SMALL)
    chance = random.Random(name)
    places = [*chain(range(140), range(len(whole) - 260, len(whole)))]
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3))):
            data[chance.choice(places)] = chance.choice((0, 1, 255, chance.randrange(256)))
        with suppress(PhotoError):
            assert to_input(bytes(data), SMALL).shape == (32, 32, 3)


def test_a_bomb_is_refused_by_its_header() -> None:
    floats = (RGB / 255).astype("f4")
    for data in (
        tiff([floats.tobytes()], tags_of(floats, 2) | {256: [60_000], 257: [60_000]}),
        FILES["bmp"][:18] + struct.pack("<ii", 60_000, 60_000) + FILES["bmp"][26:],
    ):
        with pytest.raises(PhotoError) as caught:
            to_input(data, SMALL)
        assert caught.value.reason is Reason.TOO_LARGE

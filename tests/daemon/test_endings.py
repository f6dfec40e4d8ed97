"""A photo of which more is still to come is told from a whole one by its head and its end."""

import io
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daemon.decode.endings import goes_on, lacks_its_end
from tests.daemon.support import write


def frames(number: int) -> list[Image.Image]:
    noise = np.random.default_rng(7)
    return [Image.fromarray(noise.integers(0, 255, (48, 64, 3), np.uint8)) for _ in range(number)]


def saved(kind: str, number: int = 1, **how: object) -> bytes:
    first, *others = frames(number)
    out = io.BytesIO()
    more = {"save_all": True, "append_images": others} if others else {}
    first.save(out, kind, **more, **how)
    return out.getvalue()


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


FILM = box(b"ftyp", b"mp42\0\0\0\0mp42") + box(b"mdat", bytes(range(256)) * 40) + box(b"moov", b"m" * 90)
TRAILER = b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data" + FILM + b"SEFH\x6b\0\0\0SEFT"


def with_xmp(text: str) -> bytes:
    return saved("JPEG", xmp=f"<x:xmpmeta {text}/>".encode())


def items(*lengths: int) -> str:
    kinds = ("Primary", "GainMap", "MotionPhoto")
    return " ".join(f'Item:Semantic="{kind}" Item:Length="{size}"' for kind, size in zip(kinds, lengths, strict=False))


WHOLE = {
    "JPEG": saved("JPEG"),
    "progressive JPEG": saved("JPEG", progressive=True),
    "JPEG with a thumbnail": saved("JPEG", exif=b"Exif\0\0" + saved("JPEG", quality=5)),
    "micro video": with_xmp(f'GCamera:MicroVideo="1" GCamera:MicroVideoOffset="{len(FILM)}"') + FILM,
    "motion photo": with_xmp(items(0, 0, len(FILM))) + FILM,
    "elements": with_xmp(f"><Item:Length>0</Item:Length><Item:Length>{len(FILM)}</Item:Length><a") + FILM,
    "gain map": with_xmp(items(0, len(saved("JPEG")))) + saved("JPEG"),
    "gain map and film": with_xmp(items(0, len(saved("JPEG")), len(FILM))) + saved("JPEG") + FILM,
    "film that nothing announces": saved("JPEG") + FILM,
    "Samsung": saved("JPEG") + TRAILER,
    "MPO": saved("MPO", 3),
    "GIF": saved("GIF"),
    "animated GIF": saved("GIF", 4),
    "PNG": saved("PNG"),
    "APNG": saved("PNG", 4),
    "WebP": saved("WEBP"),
    "animated WebP": saved("WEBP", 4),
    "TIFF": saved("TIFF"),
    "TIFF of pages": saved("TIFF", 3),
    "BigTIFF of pages": saved("TIFF", 3, big_tiff=True),
    "TIFF of strips": saved("TIFF", 2, compression="raw", tiffinfo={278: 5}),
    "BMP": saved("BMP"),
    "AVIF": saved("AVIF"),
    "JPEG 2000": saved("JPEG2000"),
}
ALSO_WHOLE = {
    "JPEG with text behind it": saved("JPEG") + b"photo 7",
    "JPEG with a large trailer": saved("JPEG") + b"x" * 300_000,
    "JPEG filled up with zeros": saved("JPEG") + bytes(4096),
    "GIF filled up with zeros": saved("GIF") + bytes(100),
    "PNG with text behind it": saved("PNG") + b"more",
    "text": b"some text",
    "nothing": b"",
    "a box to the end": box(b"ftyp", b"avif\0\0\0\0avif") + b"\0\0\0\0mdat" + b"x" * 40,
}
TORN_AT_A_SEAM = {
    "JPEG without its end": saved("JPEG")[:-2],
    "micro video without its film": WHOLE["micro video"][: -len(FILM)],
    "motion photo without its film": WHOLE["motion photo"][: -len(FILM)],
    "film without its last box": saved("JPEG") + FILM[:-50],
    "MPO of one picture": WHOLE["MPO"][: WHOLE["MPO"].index(b"\xff\xd9\xff\xd8") + 2],
    "GIF without its end": WHOLE["animated GIF"][:-1],
    "APNG without its end": WHOLE["APNG"][:-12],
    "WebP of one frame": WHOLE["animated WebP"][: WHOLE["animated WebP"].index(b"ANMF", 60)],
}


def reader(data: bytes) -> Callable[[int, int], bytes]:
    def read(offset: int, count: int) -> bytes:
        assert offset >= 0
        assert count >= 0
        return data[offset : offset + count]

    return read


@pytest.mark.parametrize("name", [*WHOLE, *ALSO_WHOLE])
def test_a_whole_photo_is_not_waited_for(name: str) -> None:
    data = (WHOLE | ALSO_WHOLE)[name]
    assert not lacks_its_end(reader(data), len(data))


@pytest.mark.parametrize("name", WHOLE)
def test_a_beginning_of_a_photo_lacks_its_end_or_cannot_be_decoded(name: str) -> None:
    def decodes(data: bytes) -> bool:
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
        except (OSError, SyntaxError, ValueError):
            return False
        return True

    data = WHOLE[name]
    whole = len(data.rstrip(b"\0"))  # a TIFF is filled up with zeros
    cuts = [*range(1, whole, 97), *range(max(1, whole - 40), whole)]
    missed = [cut for cut in cuts if not lacks_its_end(reader(data[:cut]), cut) and decodes(data[:cut])]
    # Nothing tells a JPEG from one behind which a film will follow that it does not announce, until the film begins.
    alone = len(saved("JPEG"))
    assert [cut for cut in missed if name not in ("film that nothing announces", "Samsung") or cut > alone + 40] == []


@pytest.mark.parametrize("name", TORN_AT_A_SEAM)
def test_what_is_torn_between_two_parts_lacks_its_end(name: str) -> None:
    data = TORN_AT_A_SEAM[name]
    assert lacks_its_end(reader(data), len(data))


def hostile() -> Iterator[bytes]:
    noise = np.random.default_rng(3)
    for data in WHOLE.values():
        for _ in range(60):
            changed = bytearray(data)
            for place in noise.integers(0, min(len(data), 4000), 4):
                changed[place] = noise.integers(0, 255)
            yield bytes(changed[: noise.integers(1, len(data))])
    yield b"II*\0" + struct.pack("<I", 8) + struct.pack("<HI", 0, 8)  # a directory that follows itself
    yield b"\xff\xd8" + b"\xff\xe1\0\0" * 3000


def test_whatever_the_bytes_are_the_look_is_short_and_ends_with_an_answer(tmp_path: Path) -> None:
    for data in hostile():
        assert goes_on(write(tmp_path / "a.jpg", data), len(data)) in (True, False)


def test_what_is_no_readable_file_does_not_go_on(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(write(tmp_path / "torn.jpg", saved("JPEG")[:-2]))
    (tmp_path / "folder").mkdir()
    assert goes_on(tmp_path / "torn.jpg", len(saved("JPEG")) - 2)
    assert not any(goes_on(tmp_path / name, 100) for name in ("fifo", "link", "folder", "gone"))

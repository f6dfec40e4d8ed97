"""HEIC files as phones write them: real HEVC pictures, in containers of every form that is put together here.

The folder `heic` holds the drawn scene of `tests.contract.photos`, also in grey, with 10 and with 12 bits, and the four
quarters of one of twice its size, each encoded once by pillow-heif 1.8.1 (x265). No test needs an encoder.
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path

SAMPLES = Path(__file__).parent / "heic"


@dataclass
class Item:
    """One item of a HEIF file; its number is its place in the list, from 1.

    Attributes:
        kind: `hvc1` for a picture, `grid` for one of tiles, `Exif`, ...
        data: its bytes.
        properties: its property boxes.
        references: the numbers of other items, by the kind of the reference.
    """

    kind: bytes
    data: bytes
    properties: list[bytes] = field(default_factory=list)
    references: dict[bytes, list[int]] = field(default_factory=dict)


def sample(name: str) -> bytes:
    """Return one of the encoded files."""
    return (SAMPLES / f"{name}.heic").read_bytes()


def picture(name: str, *properties: bytes, **references: list[int]) -> Item:
    """Return the coded picture of one of the encoded files, with its own properties and more."""
    data = sample(name)
    own = [_found(data, kind) for kind in (b"hvcC", b"colr", b"ispe", b"pixi")]
    return Item(
        b"hvc1", data[data.index(b"mdat") + 4 :], [*own, *properties],
        {kind.encode(): numbers for kind, numbers in references.items()},
    )  # fmt: skip


def grid(rows: int, columns: int, size: tuple[int, int], tiles: list[int], *properties: bytes) -> Item:
    """Return a picture that is made of tiles, as iPhones write it."""
    data = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    colours = _found(sample("scene"), b"colr")
    return Item(b"grid", data, [ispe(*size), colours, *properties], {b"dimg": tiles})


def exif(tiff: bytes, of: int) -> Item:
    """Return an item of EXIF data, without the prefix `Exif`."""
    return Item(b"Exif", bytes(4) + tiff, [], {b"cdsc": [of]})


def ispe(width: int, height: int) -> bytes:
    """Return the property that says how large a picture is."""
    return _full(b"ispe", struct.pack(">II", width, height))


def irot(quarters: int) -> bytes:
    """Return the property that turns a picture counterclockwise."""
    return _box(b"irot", bytes([quarters]))


def imir(axis: int) -> bytes:
    """Return the property that mirrors a picture: 0 top to bottom, 1 left to right."""
    return _box(b"imir", bytes([axis]))


def auxiliary(kind: str) -> bytes:
    """Return the property of a picture that goes with another one, such as its transparency or depth."""
    return _full(b"auxC", kind.encode() + b"\0")


def heif(items: list[Item], primary: int = 1, brand: bytes = b"heic") -> bytes:
    """Put a file together, with equal parts written once.

    Args:
        items: its items.
        primary: the number of the one that is to be shown.
        brand: the major brand.
    """
    head = _box(b"ftyp", brand, bytes(4), b"mif1heicmiaf")
    length = len(head) + len(_meta(items, primary, 0)) + 8
    return head + _meta(items, primary, length) + _box(b"mdat", *dict.fromkeys(item.data for item in items))


def _meta(items: list[Item], primary: int, at: int) -> bytes:
    numbered = [*enumerate(items, 1)]
    entries = [
        _full(b"infe", struct.pack(">HH", number, 0) + item.kind + b"\0", version=2) for number, item in numbered
    ]
    places, starts = b"", {}
    for data in dict.fromkeys(item.data for item in items):
        starts[data], at = at, at + len(data)
    for number, item in numbered:
        places += struct.pack(">HHHII", number, 0, 1, starts[item.data], len(item.data))
    references = [
        _box(kind, struct.pack(f">HH{len(to)}H", number, len(to), *to))
        for number, item in numbered
        for kind, to in item.references.items()
    ]
    return _full(
        b"meta",
        _full(b"hdlr", bytes(4) + b"pict" + bytes(13)),
        _full(b"pitm", struct.pack(">H", primary)),
        _full(b"iloc", struct.pack(">BBH", 0x44, 0, len(items)) + places),
        _full(b"iinf", struct.pack(">H", len(items)), *entries),
        _full(b"iref", *references) if references else b"",
        _properties(numbered),
    )


def _properties(numbered: list[tuple[int, Item]]) -> bytes:
    boxes = [*dict.fromkeys(box for _, item in numbered for box in item.properties)]
    links = b""
    for number, item in numbered:
        marks = [1 + boxes.index(box) | 0x80 for box in item.properties]  # essential: nobody may leave it out
        links += struct.pack(">HB", number, len(marks)) + bytes(marks)
    return _box(b"iprp", _box(b"ipco", *boxes), _full(b"ipma", struct.pack(">I", len(numbered)) + links))


def _box(kind: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + kind + data


def _full(kind: bytes, *parts: bytes, version: int = 0) -> bytes:
    return _box(kind, bytes([version, 0, 0, 0]), *parts)


def _found(data: bytes, kind: bytes) -> bytes:
    at = data.index(kind) - 4
    return data[at : at + struct.unpack_from(">I", data, at)[0]]

"""The content of a memory, as values and as the bytes of a file.

16 bytes    b"phototriage-mem1"
4 bytes     length of the header, little-endian
header      JSON: labels, width of each part of the features, number of anchors, gate photos and strangers
anchors     least and step float32 [n, parts], codes uint8 [n, sum of widths]
gate        the same, then the class of each photo, uint16 [n]
strangers   the same as anchors, but the last part alone: the broad features
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import CompanionError, ContractError
from common.strict_json import read_object, short_repr
from contract.labels import check_labels
from contract.memory.facts import MOST_ANCHORS, MOST_GATE, MOST_STRANGERS, MemoryFacts
from contract.memory.packed import Floats, Packed

MAX_BYTES = 6_000_000
MAX_WIDTH = 8192
MAX_HEADER_BYTES = 1 << 18
_MAGIC = b"phototriage-mem1"
_COUNTS = {"anchors": MOST_ANCHORS, "gate": MOST_GATE, "strangers": MOST_STRANGERS}
_KEYS = {"labels", "widths", *_COUNTS}

Classes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Memory:
    """Features of photos, as the linear layer of the model gets them. They are kept at one byte a value.

    Attributes:
        labels: class names in the order of the model's outputs.
        widths: number of values of each part: task features and broad features, or broad features alone.
    """

    labels: tuple[str, ...]
    widths: tuple[int, ...]
    _anchors: Packed
    _gate: Packed
    _classes: Classes
    _strangers: Packed

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        widths: Sequence[int],
        anchors: Floats,
        gate: tuple[Floats, Classes],
        strangers: Floats,
    ) -> "Memory":
        """Pack features.

        Args:
            anchors: float32 [n, sum of widths], of photos that the model was made from.
            gate: float32 [g, sum of widths], of photos that its head has not learnt from, and the class of each.
            strangers: float32 [s, last of widths], broad features of pictures of no class.

        Raises:
            CompanionError: there are too many, or they do not fit together.
        """
        wide = tuple(widths)
        memory = cls(
            tuple(labels),
            wide,
            Packed.of(anchors, wide),
            Packed.of(gate[0], wide),
            gate[1].astype(np.int64),
            Packed.of(strangers, wide[-1:]),
        )
        _check_header(memory._header())
        _check_classes(memory._classes, len(memory.labels))
        return memory

    @property
    def width(self) -> int:
        """Number of values of a photo's features."""
        return sum(self.widths)

    def anchors(self) -> Floats:
        """Features of the photos that the model was made from, float32 [n, width]."""
        return self._anchors.features()

    def gate(self) -> tuple[Floats, Classes]:
        """Features of the photos that its head has not learnt from, float32 [g, width], and the class of each."""
        return self._gate.features(), self._classes

    def strangers(self) -> Floats:
        """Broad features of pictures of no class, float32 [s, last of widths]."""
        return self._strangers.features()

    def with_strangers(self, broad: Floats) -> "Memory":
        """The same memory with these pictures of no class, float32 [s, last of widths]."""
        memory = replace(self, _strangers=Packed.of(broad, self.widths[-1:]))
        _check_header(memory._header())
        return memory

    def facts(self, sha256: str) -> MemoryFacts:
        """What the contract says about it.

        Args:
            sha256: of `to_bytes`.
        """
        return MemoryFacts(sha256, len(self._anchors.codes), len(self._gate.codes), len(self._strangers.codes))

    def to_bytes(self) -> bytes:
        """The bytes of the file; the same content gives the same bytes."""
        header = json.dumps(self._header(), ensure_ascii=False, sort_keys=True).encode()
        parts = (
            self._anchors.to_bytes(),
            self._gate.to_bytes(),
            self._classes.astype("<u2").tobytes(),
            self._strangers.to_bytes(),
        )
        return b"".join((_MAGIC, len(header).to_bytes(4, "little"), header, *parts))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Memory":
        """Read what `to_bytes` wrote.

        Raises:
            CompanionError: it is no memory, damaged, or larger than one may be.
        """
        header, start = _read_header(data)
        labels, widths = tuple(header["labels"]), tuple(header["widths"])
        anchors, gate, strangers = (header[name] for name in _COUNTS)
        sizes = Packed.size(anchors, widths), Packed.size(gate, widths), 2 * gate, Packed.size(strangers, widths[-1:])
        edges = [start, *(start + int(size) for size in np.cumsum(sizes))]
        if len(data) != edges[-1]:
            raise CompanionError(f"The memory has {len(data):,} bytes, but its header speaks of {edges[-1]:,}.")
        view = memoryview(data)
        first, second, third, fourth = (view[begin:end] for begin, end in pairwise(edges))
        classes = np.frombuffer(third, "<u2").astype(np.int64)
        _check_classes(classes, len(labels))
        return cls(
            labels,
            widths,
            Packed.read(first, anchors, widths),
            Packed.read(second, gate, widths),
            classes,
            Packed.read(fourth, strangers, widths[-1:]),
        )

    def _header(self) -> dict[str, Any]:
        counts = len(self._anchors.codes), len(self._gate.codes), len(self._strangers.codes)
        return {"labels": list(self.labels), "widths": list(self.widths), **dict(zip(_COUNTS, counts, strict=True))}


def row_bytes(widths: Sequence[int]) -> int:
    """Number of bytes of a photo in the file, its class included."""
    return 2 + Packed.size(1, widths)


def _read_header(data: bytes) -> tuple[dict[str, Any], int]:
    """The checked header, and where the features begin."""
    if len(data) > MAX_BYTES:
        raise CompanionError(f"The memory has {len(data):,} bytes, over the limit of {MAX_BYTES:,}.")
    begin = len(_MAGIC) + 4
    size = int.from_bytes(data[len(_MAGIC) : begin], "little")
    if not data.startswith(_MAGIC) or len(data) < begin + size or size > MAX_HEADER_BYTES:
        raise CompanionError("The bytes are not those of a memory.")
    try:
        header = read_object(data[begin : begin + size].decode())
    except (UnicodeDecodeError, ContractError) as error:
        raise CompanionError(f"The header of the memory is damaged: {short_repr(error)}.") from error
    _check_header(header)
    return header, begin + size


def _check_header(header: dict[str, Any]) -> None:
    if header.keys() != _KEYS:
        raise CompanionError(f"The header of the memory holds {short_repr(sorted(header))}, not {sorted(_KEYS)}.")
    labels, widths = header["labels"], header["widths"]
    try:
        check_labels(labels if isinstance(labels, list) else [])
    except ContractError as error:
        raise CompanionError(f"The labels of the memory are no classes: {error}") from error
    if (
        not isinstance(widths, list)
        or len(widths) not in (1, 2)
        or not all(_whole(each, 1, MAX_WIDTH) for each in widths)
    ):
        raise CompanionError(f"The memory gives {short_repr(widths)} as the widths of its features.")
    for name, most in _COUNTS.items():
        if not _whole(header[name], 0, most):
            raise CompanionError(
                f"The memory gives {short_repr(header[name])} as the number of {name}, not 0 to {most:,}."
            )


def _whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _check_classes(classes: Classes, count: int) -> None:
    if classes.max(initial=-1) >= count or classes.min(initial=0) < 0:
        raise CompanionError(f"The memory names class {classes.max()} of a photo, but it has {count} labels.")

"""TIFF pictures that Pillow does not take: floats, 32 bits, CIELab of 16 bits, big-endian BigTIFF.

The samples are read by their description. Compressed ones are expanded by libtiff, to which each strip or tile is shown
as a grey picture that is as wide as a row has bytes.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from common.errors import PhotoError, Reason
from contract.readers.pieces import Pieces
from contract.readers.tiff_tags import byte_order, is_big, read_tags

_Samples = NDArray[Any]

WIDTH, HEIGHT, BITS, COMPRESSION, COLOURS, OFFSETS, ORIENTATION, CHANNELS = 256, 257, 258, 259, 262, 273, 274, 277
ROWS, COUNTS, PLANAR, PREDICTOR, EXTRA, FORMAT = 278, 279, 284, 317, 338, 339
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325
_DEFAULTS = {COMPRESSION: 1, COLOURS: 1, CHANNELS: 1, PLANAR: 1, PREDICTOR: 1, FORMAT: 1, BITS: 1, ORIENTATION: 1}
_KINDS = {1: "u", 3: "f"}
_UNCOMPRESSED = 1
_EXPANDED = (5, 8, 32773, 32946, 50000)  # LZW, deflate twice, PackBits, Zstandard
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK, _CIELAB, _ICCLAB = 0, 1, 2, 5, 8, 9
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _CMYK: 4, _CIELAB: 3, _ICCLAB: 3}


class SampledTiff(ImageFile.ImageFile):
    """A picture of whole numbers of 8 to 64 bits or floats of 16 to 64, in a TIFF or BigTIFF."""

    format = "TIFF"

    def _open(self) -> None:
        assert self.fp is not None
        self._data = self.fp.read()
        self._order, self._tags = byte_order(self._data), read_tags(self._data)
        self._size = self._one(WIDTH), self._one(HEIGHT)
        self._mode = "RGB"
        if self._order == "<" or not is_big(self._data):
            self.info["exif"] = self._data  # EXIF data are a TIFF
        else:
            exif = Image.Exif()
            exif[ORIENTATION] = self._one(ORIENTATION)
            self.info["exif"] = exif.tobytes()
        self._check()

    def load(self) -> Any:
        """Read the samples and turn them into colours."""
        if self._im is None:
            image = self._coloured(_eight_bits(self._samples()))
            self._mode = image.mode
            self.im = image.im
        return super().load()

    def _one(self, tag: int) -> int:
        return self._tags.get(tag, (_DEFAULTS.get(tag, 0),))[0]

    def _check(self) -> None:
        bits, kind, colours = self._one(BITS), self._one(FORMAT), self._one(COLOURS)
        if kind not in _KINDS or bits not in ((16, 32, 64) if _KINDS[kind] == "f" else (8, 16, 32, 64)):
            what = {2: "signed numbers", 3: "floats"}.get(kind, "whole numbers" if kind == 1 else "another kind")
            raise _unsupported(f"samples of {bits} bits, {what}")
        if colours not in _CHANNELS or self._one(CHANNELS) < _CHANNELS[colours]:
            raise _unsupported(f"colours of kind {colours} (tag PhotometricInterpretation)")
        if self._one(COMPRESSION) not in (_UNCOMPRESSED, *_EXPANDED):
            raise _unsupported(f"a compression of kind {self._one(COMPRESSION)} of such samples")
        if len({*self._tags.get(BITS, ())}) != 1 or len({*self._tags.get(FORMAT, (1,))}) != 1:
            raise _unsupported("channels of different kinds")
        self._dtype = np.dtype(f"{self._order}{_KINDS[kind]}{bits // 8}")
        alpha = self._one(CHANNELS) > _CHANNELS[colours] and self._one(EXTRA) in (1, 2) and colours <= _RGB
        self._kept = _CHANNELS[colours] + alpha

    def _samples(self) -> _Samples:
        """Return all samples: [height, width, channels], of 8 bits or floats of 32."""
        width, height = self.size
        is_float = self._dtype.kind == "f"
        samples = np.zeros((height, width, self._kept), np.float32 if is_float else np.uint8)
        for plane, top, left, part in self._segments():
            kept = slice(0, self._kept) if plane is None else slice(plane, plane + 1)
            room = samples[top : top + part.shape[0], left : left + part.shape[1], kept]
            fitting = part[: room.shape[0], : room.shape[1], : room.shape[2]]
            room[...] = fitting if is_float else fitting >> (8 * self._dtype.itemsize - 8)
        return samples

    def _segments(self) -> Iterator[tuple[int | None, int, int, _Samples]]:
        """Yield each strip or tile: its plane, if each channel has one, its place, and its samples."""
        (width, height), channels = self.size, self._one(CHANNELS)
        is_tiled = TILE_WIDTH in self._tags
        rows = self._one(TILE_HEIGHT) if is_tiled else min(height, self._one(ROWS) or height)
        columns = self._one(TILE_WIDTH) if is_tiled else width
        if not 0 < rows <= 2 * height + 64 or not 0 < columns <= 2 * width + 64:
            raise OSError("its strips or tiles are larger than the picture")
        planes: Iterable[int | None] = range(self._kept) if self._one(PLANAR) == 2 else [None]
        places = product(planes, range(0, height, rows), range(0, width, columns))
        offsets, counts = (TILE_OFFSETS, TILE_COUNTS) if is_tiled else (OFFSETS, COUNTS)
        for number, (plane, top, left) in enumerate(places):
            at, count = self._tags[offsets][number], self._tags[counts][number]  # LookupError: some are missing
            its_rows = rows if is_tiled else min(rows, height - top)
            yield plane, top, left, self._expanded(at, count, its_rows, columns, channels if plane is None else 1)

    def _expanded(self, at: int, count: int, rows: int, columns: int, channels: int) -> _Samples:
        row_bytes = columns * channels * self._dtype.itemsize
        if at + count > len(self._data):
            raise OSError("image file is truncated")
        if self._one(COMPRESSION) == _UNCOMPRESSED:
            raw = np.frombuffer(self._data, np.uint8, min(count, rows * row_bytes), at)
        else:
            with Image.open(self._as_grey(at, count, row_bytes, rows), formats=("TIFF",)) as image:
                raw = np.asarray(image).reshape(-1)
        if len(raw) < rows * row_bytes:
            raise OSError("image file is truncated")
        return self._unpredicted(raw.reshape(rows, row_bytes), columns, channels)

    def _as_grey(self, at: int, count: int, row_bytes: int, rows: int) -> BinaryIO:
        tags = {WIDTH: row_bytes, HEIGHT: rows, BITS: 8, COMPRESSION: self._one(COMPRESSION), COLOURS: 1}
        tags |= {OFFSETS: 8, CHANNELS: 1, ROWS: rows, COUNTS: count}
        entries = b"".join(struct.pack(self._order + "HHII", tag, 4, 1, number) for tag, number in tags.items())
        head = self._data[:2] + struct.pack(self._order + "HI", 42, 8 + count + count % 2)
        end = bytes(count % 2) + struct.pack(self._order + "H", len(tags)) + entries + bytes(4)
        return cast(BinaryIO, io.BufferedReader(Pieces(self._data, [head, (at, at + count), end])))

    def _unpredicted(self, raw: NDArray[np.uint8], columns: int, channels: int) -> _Samples:
        rows, predictor, size = len(raw), self._one(PREDICTOR), self._dtype.itemsize
        if predictor == 3:  # of floats: differences of bytes, the most significant ones of a row first
            summed = np.cumsum(raw.reshape(rows, -1, channels), axis=1, dtype=np.uint8)
            planes = summed.reshape(rows, size, -1).transpose(0, 2, 1)
            return np.ascontiguousarray(planes).view(f">f{size}").reshape(rows, columns, channels)
        samples = np.ascontiguousarray(raw).view(self._dtype).reshape(rows, columns, channels)
        if predictor == 2:
            return np.cumsum(samples, axis=1, dtype=self._dtype.newbyteorder("="))
        return samples

    def _coloured(self, samples: NDArray[np.uint8]) -> Image.Image:
        colours = self._one(COLOURS)
        if colours in (_CIELAB, _ICCLAB):
            if colours == _CIELAB:
                samples = samples ^ np.array([0, 128, 128], np.uint8)  # a and b are signed there
            return Image.frombytes("LAB", self.size, (samples ^ np.array([0, 128, 128], np.uint8)).tobytes())
        if colours == _WHITE_IS_ZERO:
            samples[..., 0] = 255 - samples[..., 0]
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "CMYK" if colours == _CMYK else "RGBA"}[samples.shape[2]]
        return Image.frombytes(mode, self.size, samples.tobytes())


def _eight_bits(samples: _Samples) -> NDArray[np.uint8]:
    """Map floats to 0..255: nearly all of them up to 1, 255 or 65535; whatever is no number is black."""
    if samples.dtype == np.uint8:
        return cast(NDArray[np.uint8], samples)
    values = np.nan_to_num(cast(NDArray[np.float32], samples), copy=False, posinf=0.0, neginf=0.0)
    top = float(np.percentile(values[:: max(1, len(values) // 1000)], 99))
    values *= 255.0 if top <= 1.0 else 1.0 if top <= 255.0 else 1 / 257 if top <= 65_535.0 else 255.0 / top
    return np.clip(values, 0, 255, out=values).astype(np.uint8)


def _unsupported(what: str) -> PhotoError:
    return PhotoError(Reason.UNSUPPORTED, f"a TIFF with {what} is not read here; save it with 8 or 16 bits")

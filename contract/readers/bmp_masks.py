"""BMP pictures whose colours lie in bits of any order and number (BI_BITFIELDS); Pillow reads a dozen orders."""

import struct
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

_HEADERS = (40, 52, 56, 64, 108, 124)
_BITFIELDS, _ALPHA_BITFIELDS = 3, 6
_MASKS_AT = 54
BLOCK_BYTES = 1 << 22
"""Pixels are taken apart in blocks of rows, because that needs three times the memory of the block."""


class MaskedBmp(ImageFile.ImageFile):
    """A picture of 16 or 32 bits a pixel with a mask for each colour."""

    format = "BMP"

    def _open(self) -> None:
        assert self.fp is not None
        head = self.fp.read(_MASKS_AT + 16)
        (self._start, header, width, height, bits, method) = struct.unpack_from("<IIii2xHI", head, 10)
        if head[:2] != b"BM" or header not in _HEADERS or bits not in (16, 32):
            raise SyntaxError("no BMP with masks")
        if method not in (_BITFIELDS, _ALPHA_BITFIELDS):
            raise SyntaxError("no BMP with masks")
        masks = struct.unpack_from("<4I", head, _MASKS_AT)
        has_alpha = method == _ALPHA_BITFIELDS or header >= 56
        self._masks = [mask for mask in masks[: 4 if has_alpha else 3] if mask]
        if len(self._masks) < 3 or not all(map(_is_run, self._masks)):
            raise SyntaxError("its masks are no colours")
        self._bits, self._is_upside_down = bits, height > 0
        self._size, self._mode = (width, abs(height)), "RGB"

    def load(self) -> Any:
        """Take the pixels apart."""
        if self._im is None:
            pixels = self._pixels()
            if pixels.shape[2] == 4 and pixels[..., 3].any():  # programs that know no transparency leave it 0
                self._mode = "RGBA"
            pixels = pixels[..., : len(self._mode)]
            self.load_prepare()
            self.frombytes(np.ascontiguousarray(pixels).tobytes())
        return super().load()

    def _pixels(self) -> NDArray[np.uint8]:
        assert self.fp is not None
        width, height = self.size
        row_bytes = (width * self._bits + 31) // 32 * 4
        pixels = np.empty((height, width, len(self._masks)), np.uint8)
        self.fp.seek(self._start)
        rows = max(1, BLOCK_BYTES // row_bytes)
        for first in range(0, height, rows):
            count = min(rows, height - first)
            block = self.fp.read(count * row_bytes)
            if len(block) < count * row_bytes:
                raise OSError("image file is truncated")
            words = np.frombuffer(block, f"<u{self._bits // 8}").reshape(count, -1)[:, :width].astype(np.uint32)
            for channel, mask in enumerate(self._masks):
                pixels[first : first + count, :, channel] = _eight_bits(words, mask)
        return pixels[::-1] if self._is_upside_down else pixels


def _is_run(mask: int) -> bool:
    return (mask // (mask & -mask)).bit_length() == mask.bit_count()


def _eight_bits(words: NDArray[np.uint32], mask: int) -> NDArray[np.uint8]:
    bits = mask.bit_count()
    values = (words & np.uint32(mask)) >> np.uint32((mask & -mask).bit_length() - 1)
    if bits > 8:
        return cast(NDArray[np.uint8], (values >> np.uint32(bits - 8)).astype(np.uint8))
    return cast(NDArray[np.uint8], (values * np.uint32(255) // np.uint32((1 << bits) - 1)).astype(np.uint8))

"""Whatever the bytes are: pixels or a PhotoError, the same each time, also from several threads at once."""

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import PhotoError
from contract.geometry import to_input
from tests.contract.photos import FORMATS, QUICK, SMALL, encoded, scene

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # as in production, see contract/geometry.py
MUTANTS = 300


def outcome(data: bytes) -> bytes | tuple[str, str]:
    """Decode, and say what came out; any other exception than PhotoError fails the test."""
    try:
        pixels = to_input(data, SMALL)
    except PhotoError as error:
        return error.reason.value, error.detail
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    return pixels.tobytes()


def mutant(data: bytes, rng: random.Random) -> bytes:
    """Damage a file as disks, networks and strangers do: bits, cuts, gaps, doubled and swapped pieces."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        # Half of the hits go to the first bytes, where the headers are.
        place = rng.randrange(len(damaged) if rng.random() < 0.5 else min(len(damaged), 120))
        kind = rng.randrange(5)
        if kind == 0:
            damaged[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            damaged[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            del damaged[place : place + rng.randint(1, 20)]
        elif kind == 3:
            damaged[place:place] = damaged[place : place + rng.randint(1, 40)]
        else:
            damaged[place : place + 4] = rng.randbytes(4)
        if len(damaged) < 2:
            break
    return bytes(damaged[: rng.randrange(1, len(damaged) + 1)]) if rng.random() < 0.2 else bytes(damaged)


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_give_pixels_or_a_photo_error_the_same_from_many_threads(name: str) -> None:
    pillow_format, options = FORMATS[name]
    whole = encoded(scene(64, 48), pillow_format, **options)
    rng = random.Random(name)
    files = [whole, *(mutant(whole, rng) for _ in range(MUTANTS))]
    alone = [outcome(data) for data in files]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(outcome, files)) == alone
    assert isinstance(alone[0], bytes)
    assert any(isinstance(result, tuple) for result in alone)


HEADS = (
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"P6\n",
    b"P3 ",
)


@given(st.sampled_from((b"", *HEADS, b"RIFF\xff\0\0\0WEBPVP8X", b"\0\0\0\x1cftypavif")), st.binary(max_size=300))
@settings(QUICK, max_examples=250)
def test_any_bytes_behind_a_known_beginning_give_pixels_or_a_photo_error(head: bytes, rest: bytes) -> None:
    assert outcome(head + rest) == outcome(head + rest)

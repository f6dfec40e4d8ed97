"""HEIC photos become the picture that the phone shows; hostile ones are refused in little memory."""

import random
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import PhotoError, Reason
from contract.formats import SNIFF_BYTES, readable_formats, sniff
from contract.geometry import Pixels, to_input
from contract.readers.opening import open_picture
from tests.contract.heif_files import Item, auxiliary, exif, grid, heif, imir, irot, ispe, picture, sample
from tests.contract.photos import SMALL, encoded, scene, turned_exif

pytestmark = pytest.mark.skipif("HEIF" not in readable_formats(), reason="pi-heif is not installed")

QUARTERS = [f"quarter-{number}" for number in range(4)]
WHOLE = scene(320, 192)


def shown(image: Image.Image) -> Pixels:
    return to_input(encoded(image.convert("RGB"), "PNG"), SMALL)


def difference(data: bytes, image: Image.Image) -> float:
    return float(np.abs(to_input(data, SMALL).astype(int) - shown(image)).mean())


@pytest.mark.parametrize("name", ["scene", "ten-bit", "twelve-bit"])
def test_a_picture_of_each_depth_is_read(name: str) -> None:
    assert difference(sample(name), scene()) < 4
    assert difference(heif([picture(name)]), scene()) < 4


def test_a_grey_picture_is_read() -> None:
    assert difference(sample("grey"), scene().convert("L")) < 4


def test_a_picture_of_tiles_is_read_whole() -> None:
    tiles = [picture(name) for name in QUARTERS]
    data = heif([grid(2, 2, WHOLE.size, [2, 3, 4, 5]), *tiles])
    with open_picture(data) as image:
        assert image.size == WHOLE.size
    assert difference(data, WHOLE) < 4


def test_tiles_that_reach_beyond_the_picture_are_cut() -> None:
    data = heif([grid(2, 2, (300, 170), [2, 3, 4, 5]), *map(picture, QUARTERS)])
    assert difference(data, WHOLE.crop((0, 0, 300, 170))) < 4


TURNS: dict[tuple[bytes, ...], Image.Transpose] = {
    (irot(1),): Image.Transpose.ROTATE_90,
    (irot(2),): Image.Transpose.ROTATE_180,
    (irot(3),): Image.Transpose.ROTATE_270,
    (imir(0),): Image.Transpose.FLIP_TOP_BOTTOM,
    (imir(1),): Image.Transpose.FLIP_LEFT_RIGHT,
}


@pytest.mark.parametrize("turned", [1, 3, 6, 8])
@pytest.mark.parametrize("properties", [(), *TURNS])
def test_a_turned_picture_stands_upright_and_is_not_turned_twice(properties: tuple[bytes, ...], turned: int) -> None:
    """Phones write the turn into EXIF, too; the container's counts, as its standard says."""
    data = heif([picture("scene", *properties), exif(turned_exif(turned).tobytes()[6:], of=1)])
    wanted = scene().transpose(TURNS[properties]) if properties else scene()
    assert difference(data, wanted) < 4


def test_a_turned_picture_of_tiles_stands_upright() -> None:
    data = heif([grid(2, 2, WHOLE.size, [2, 3, 4, 5], irot(3)), *map(picture, QUARTERS)])
    assert difference(data, WHOLE.transpose(Image.Transpose.ROTATE_270)) < 4


@pytest.mark.parametrize("primary", [1, 2, 3])
def test_of_several_pictures_in_one_file_the_primary_one_counts(primary: int) -> None:
    names = ["scene", "quarter-0", "quarter-3"]
    wanted = [scene(), WHOLE.crop((0, 0, 160, 96)), WHOLE.crop((160, 96, 320, 192))]
    data = heif([*map(picture, names)], primary)
    assert difference(data, wanted[primary - 1]) < 4


def test_thumbnail_depth_and_gain_map_are_not_the_picture() -> None:
    data = heif(
        [
            picture("quarter-2", thmb=[2]),
            picture("scene"),
            picture("quarter-0", auxiliary("urn:mpeg:hevc:2015:auxid:2"), auxl=[2]),
            picture("quarter-1", auxiliary("urn:com:apple:photo:2020:aux:hdrgainmap"), auxl=[2]),
        ],
        primary=2,
    )
    assert difference(data, scene()) < 4


def test_what_is_transparent_is_white() -> None:
    data = heif([picture("scene"), picture("grey", auxiliary("urn:mpeg:hevc:2015:auxid:1"), auxl=[1])])
    alpha = scene().convert("L")
    wanted = Image.composite(scene(), Image.new("RGB", scene().size, "white"), alpha)
    assert difference(data, wanted) < 5


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"])
def test_each_brand_is_known_and_read(brand: bytes) -> None:
    data = heif([picture("scene")], brand=brand)
    assert sniff(data[:SNIFF_BYTES]) == "HEIF"
    assert difference(data, scene()) < 4


@pytest.mark.parametrize("pillow_format", ["JPEG", "AVIF", "PNG"])
def test_the_content_counts_and_not_the_name(tmp_path: Path, pillow_format: str) -> None:
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(encoded(scene(), pillow_format))
    assert np.abs(to_input(path, SMALL).astype(int) - shown(scene())).mean() < 4


def test_a_sequence_without_a_picture_is_refused_with_a_reason() -> None:
    with pytest.raises(PhotoError) as caught:
        to_input(sample("scene")[:28] + struct.pack(">I", 16) + b"moov" + bytes(8), SMALL)
    assert caught.value.reason is Reason.CORRUPT


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["scene", "grid"])
def test_a_file_that_ends_early_is_refused(kind: str, share: float) -> None:
    tiles = heif([grid(2, 2, WHOLE.size, [2, 3, 4, 5]), *map(picture, QUARTERS)])
    data = sample("scene") if kind == "scene" else tiles
    with pytest.raises(PhotoError) as caught:
        to_input(data[: int(share * len(data))], SMALL)
    assert caught.value.reason in (Reason.CORRUPT, Reason.TRUNCATED)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_tile_that_was_never_written_is_noticed(number: int) -> None:
    items = [grid(2, 2, WHOLE.size, [2, 3, 4, 5]), *map(picture, QUARTERS)]
    items[number].data = bytes(len(items[number].data))
    with pytest.raises(PhotoError) as caught:
        to_input(heif(items), SMALL)
    assert caught.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize(
    "beside",
    [
        Item(b"Exif", b"ab", [], {b"cdsc": [1]}),
        Item(b"Exif", b"\xff\xff\xff\xffjunk", [], {b"cdsc": [1]}),
        Item(b"mime", b"\xff\xfe<<", [], {b"cdsc": [1]}),
        Item(b"hvc1", bytes(20), [ispe(10, 10)], {b"thmb": [1]}),
        Item(b"hvc1", b"", [auxiliary("urn:com:apple:photo:2020:aux:hdrgainmap")], {b"auxl": [1]}),
        Item(b"hvc1", b"abcdefghij", [auxiliary("urn:mpeg:hevc:2015:auxid:2"), ispe(9, 9)], {b"auxl": [1]}),
        Item(b"tmap", b"abc", [ispe(160, 96)], {b"dimg": [1]}),
    ],
    ids=lambda item: item.kind.decode(),
)
def test_what_is_broken_beside_the_picture_does_not_matter(beside: Item) -> None:
    data = heif([picture("scene"), beside])
    assert difference(data, scene()) < 4
    assert difference(data + b"a trailer", scene()) < 4


def test_damaged_files_give_pixels_or_a_photo_error() -> None:
    chance = random.Random("heif")
    whole = heif([grid(2, 2, WHOLE.size, [2, 3, 4, 5], irot(1)), *map(picture, QUARTERS)])
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 10))):
            data[chance.randrange(len(data) if chance.random() < 0.3 else 900)] = chance.choice(
                (0, 255, chance.randrange(256))
            )
        with suppress(PhotoError):
            assert to_input(bytes(data), SMALL).shape == (32, 32, 3)


def test_the_library_is_loaded_for_the_first_heic_alone(root: Path) -> None:
    program = (
        "import sys; from contract.formats import *; print('HEIF' in readable_formats(), 'pi_heif' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True)
    assert done.stdout == "True False\n"


def sized(item: Item, width: int, height: int) -> Item:
    item.properties = [ispe(width, height) if b"ispe" in box else box for box in item.properties]
    return item


@pytest.mark.parametrize(
    "data",
    [
        heif([sized(picture("scene"), 60_000, 60_000)]),
        heif([sized(picture("scene"), 12_000, 12_000)]),
        heif([sized(picture("scene"), 10, 10)]),
        heif([grid(1, 1, (60_000, 60_000), [2]), picture("quarter-0")]),
        heif([grid(200, 200, (32_000, 19_200), [2] * 40_000), picture("quarter-0")]),
    ],
    ids=["60000", "12000", "larger-than-it-says", "grid-60000", "grid-of-one-tile"],
)
def test_a_bomb_is_refused_before_it_takes_memory(data: bytes, tmp_path: Path, root: Path) -> None:
    (tmp_path / "bomb.heic").write_bytes(data)
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from common.errors import PhotoError; from contract.geometry import Geometry, to_input\n"
        "import pi_heif\n"
        "base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: to_input(Path(sys.argv[1]), Geometry())\n"
        "except PhotoError as fault: print(fault.reason)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) >> 10)\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "bomb.heic")]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True)
    assert done.stderr == ""
    reason, megabytes = done.stdout.split()
    assert reason in (Reason.TOO_LARGE, Reason.CORRUPT)
    assert int(megabytes) < 100

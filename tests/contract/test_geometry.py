"""What the network sees of a photo, against references that are written out in numpy."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from common.errors import ContractError
from contract.geometry import Geometry, Pixels, to_input
from tests.contract.photos import LOSSLESS, encoded, scene, turned_exif

TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}
"""What a viewer does with the stored picture, by EXIF orientation (EXIF 2.32, table 6)."""


def triangle(source: int, target: int) -> NDArray[np.float64]:
    """Weights [target, source] of antialiased bilinear resizing along one axis."""
    scale = source / target
    support = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    weights = np.clip(1 - np.abs(np.arange(source) + 0.5 - centres[:, None]) / support, 0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def resized(picture: Pixels, width: int, height: int) -> NDArray[np.float64]:
    """Resize [h, w, 3] in floating point."""
    rows = np.tensordot(triangle(picture.shape[0], height), picture.astype(np.float64), axes=(1, 0))
    return np.asarray(np.einsum("xw,hwc->hxc", triangle(picture.shape[1], width), rows))


def reference(picture: Pixels, geometry: Geometry) -> NDArray[np.float64]:
    """Compute the network's input of an upright picture."""
    size = geometry.size_px
    if geometry.mode == "stretch":
        return resized(picture, size, size)
    scale = size / max(picture.shape[:2])
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    square = np.zeros((size, size, 3))
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = resized(picture, width, height)
    return square


def difference(got: Pixels, wanted: NDArray[np.float64]) -> float:
    assert got.dtype == np.uint8
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max())


@pytest.mark.parametrize("mode", ["stretch", "letterbox"])
@pytest.mark.parametrize("pillow_format", LOSSLESS)
@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation_is_applied_as_a_viewer_does(mode: str, pillow_format: str, orientation: int) -> None:
    geometry = Geometry(mode, 48)  # type: ignore[arg-type]
    data = encoded(scene(), pillow_format, exif=turned_exif(orientation), **LOSSLESS[pillow_format])
    upright = TURNS[orientation](np.asarray(scene()))
    assert difference(to_input(data, geometry), reference(upright, geometry)) <= 1.5


@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation_of_a_jpeg_is_applied(orientation: int) -> None:
    geometry = Geometry(size_px=48)
    data = encoded(scene(), "JPEG", quality=95, subsampling=0, exif=turned_exif(orientation))
    upright = reference(TURNS[orientation](np.asarray(scene())), geometry)
    assert np.abs(to_input(data, geometry) - upright).mean() < 1.5


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_out_of_range_turns_nothing(orientation: int) -> None:
    geometry = Geometry(size_px=48)
    data = encoded(scene(), "PNG", exif=turned_exif(orientation))
    assert difference(to_input(data, geometry), reference(np.asarray(scene()), geometry)) <= 1.5


@pytest.mark.parametrize("mode", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (48, 48), (7, 5), (1, 1), (1, 500), (500, 1), (97, 96)])
def test_any_size_is_resized_like_the_reference(mode: str, size: tuple[int, int]) -> None:
    geometry = Geometry(mode, 48)  # type: ignore[arg-type]
    picture = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    data = encoded(Image.fromarray(picture), "PNG")
    assert difference(to_input(data, geometry), reference(picture, geometry)) <= 2.0


def test_letterbox_keeps_proportions_and_pads_with_black_on_both_sides() -> None:
    pixels = to_input(encoded(Image.new("RGB", (400, 100), "white"), "PNG"), Geometry("letterbox", 40))
    assert (pixels[15:25] == 255).all()
    assert not pixels[:15].any()
    assert not pixels[25:].any()


@pytest.fixture(scope="module")
def twelve_megapixels() -> tuple[bytes, Pixels]:
    """A noisy 12-megapixel JPEG, and its 224-pixel input by full decoding in the reference's way."""
    grain = Image.frombytes("L", (4000, 3000), np.random.default_rng(0).bytes(12_000_000)).convert("RGB")
    data = encoded(Image.blend(scene(640, 480).resize((4000, 3000)), grain, 0.06), "JPEG", quality=88)
    with Image.open(io.BytesIO(data)) as image:
        full = image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
    return data, np.asarray(full)


def test_reduced_decoding_of_a_large_jpeg_differs_little_from_full(twelve_megapixels: tuple[bytes, Pixels]) -> None:
    data, full = twelve_megapixels
    error = np.abs(to_input(data, Geometry()).astype(int) - full).astype(float)
    assert error.mean() < 0.5
    assert error.max() <= 12


def test_a_large_jpeg_is_decoded_at_no_less_than_twice_the_target(twelve_megapixels: tuple[bytes, Pixels]) -> None:
    with Image.open(io.BytesIO(twelve_megapixels[0])) as image:
        to_input(image, Geometry())
        assert image.size == (1000, 750)


def test_path_bytes_and_opened_picture_give_the_same(tmp_path: Path) -> None:
    data = encoded(scene(), "JPEG", exif=turned_exif(6))
    path = tmp_path / "photo.bin"
    path.write_bytes(data)
    geometry = Geometry("letterbox", 64)
    with Image.open(io.BytesIO(data)) as image:
        opened = to_input(image, geometry)
    assert np.array_equal(to_input(path, geometry), to_input(data, geometry))
    assert np.array_equal(opened, to_input(data, geometry))


@pytest.mark.parametrize("mode", ["stretch", "letterbox"])
def test_a_geometry_comes_back_from_its_id(mode: str) -> None:
    geometry = Geometry(mode, 160)  # type: ignore[arg-type]
    assert geometry.id == f"exif-rgb-{mode}-bilinear-1"
    assert Geometry.from_id(geometry.id, 160) == geometry


@pytest.mark.parametrize("size_px", [15, 2049, 0, -1, 224.0, True, None, "224"])
def test_a_size_out_of_range_is_refused(size_px: object) -> None:
    with pytest.raises(ContractError, match="out of range"):
        Geometry("stretch", size_px)  # type: ignore[arg-type]


@pytest.mark.parametrize("geometry_id", ["", "exif-rgb-stretch-bilinear-2", "stretch", None, ["x"] * 99_999])
def test_an_unknown_geometry_is_refused_in_a_short_sentence(geometry_id: object) -> None:
    with pytest.raises(ContractError, match="not known to this version") as caught:
        Geometry.from_id(geometry_id, 224)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 300


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ContractError, match="stretch, letterbox"):
        Geometry("crop")  # type: ignore[arg-type]

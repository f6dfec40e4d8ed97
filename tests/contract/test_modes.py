"""Every format and every pixel mode becomes the RGB picture that a viewer shows."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contract.geometry import Geometry, Pixels, to_input
from tests.contract.photos import FORMATS, SMALL, encoded, example, scene

GREY = np.linspace(0, 255, 96 * 160).reshape(96, 160)


def plain(image: Image.Image) -> Pixels:
    """Return the input of an RGB picture, by the way that test_geometry.py proves."""
    return to_input(encoded(image.convert("RGB"), "PNG"), SMALL)


def error(got: Pixels, wanted: Pixels) -> float:
    return float(np.abs(got.astype(int) - wanted).max())


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_as_what_it_shows(name: str) -> None:
    got = to_input(example(name), SMALL)
    assert np.abs(got.astype(int) - plain(scene())).mean() < 4


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "P", "YCbCr", "HSV"])
def test_modes_without_alpha_become_rgb(mode: str) -> None:
    image = scene().convert(mode)
    assert error(to_input(image, SMALL), plain(image)) <= 1


@pytest.mark.parametrize(("mode", "pillow_format"), [("CMYK", "JPEG"), ("L", "JPEG"), ("CMYK", "TIFF"), ("1", "PNG")])
def test_files_in_other_colours_become_rgb(mode: str, pillow_format: str) -> None:
    image = scene().convert(mode)
    got = to_input(encoded(image, pillow_format), SMALL)
    assert np.abs(got.astype(int) - plain(image)).mean() < 4


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBa", "PA"])
def test_what_is_transparent_becomes_white(mode: str) -> None:
    alpha = Image.fromarray(GREY.astype(np.uint8))
    image = scene().convert("RGBA")
    image.putalpha(alpha)
    if mode == "LA":
        image = image.convert("LA")
    elif mode == "PA":
        image = image.convert("RGB").quantize(64).convert("PA")
        image.putalpha(alpha)
    else:
        image = image.convert(mode)
    colours = np.asarray(image.convert("RGBA"), float)
    share = colours[..., 3:] / 255
    over_white = Image.fromarray((colours[..., :3] * share + 255 * (1 - share)).round().astype(np.uint8))
    assert error(to_input(image, SMALL), plain(over_white)) <= 3


@pytest.mark.parametrize("pillow_format", ["PNG", "GIF", "WEBP"])
def test_a_transparent_palette_shows_white_where_it_is_clear(pillow_format: str) -> None:
    image = Image.new("P", (64, 64), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(0, (0, 0, 64, 32))
    if pillow_format == "WEBP":  # which has no palettes: the same picture in RGBA
        image.info["transparency"] = 0
        data = encoded(image.convert("RGBA"), pillow_format, lossless=True)
    else:
        data = encoded(image, pillow_format, transparency=0)
    pixels = to_input(data, SMALL)
    assert (pixels[:14] == 255).all()
    assert (pixels[18:] == (0, 0, 255)).all()


def test_a_transparent_colour_of_a_png_without_alpha_becomes_white() -> None:
    data = encoded(Image.new("RGB", (64, 64), (9, 8, 7)), "PNG", transparency=(9, 8, 7))
    assert (to_input(data, SMALL) == 255).all()


def sixteen_bits(byte_order: str) -> Image.Image:
    return Image.fromarray((GREY * 257).astype(f"{byte_order}u2"))


@pytest.mark.parametrize(("pillow_format", "byte_order"), [("PNG", "<"), ("TIFF", "<"), ("TIFF", ">")])
def test_sixteen_bit_grey_keeps_its_upper_eight(pillow_format: str, byte_order: str) -> None:
    data = encoded(sixteen_bits(byte_order), pillow_format)
    assert error(to_input(data, SMALL), plain(Image.fromarray(GREY.astype(np.uint8)))) <= 1


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_a_dark_sixteen_bit_picture_stays_dark_in_either_order_of_bytes(byte_order: str) -> None:
    dark = Image.fromarray(np.full((32, 32), 200, f"{byte_order}u2"))
    assert not to_input(encoded(dark, "TIFF"), SMALL).any()


@pytest.mark.parametrize("scale", [1 / 255, 1.0, 256.0])
def test_floating_grey_of_unknown_range_becomes_the_same_picture(scale: float) -> None:
    data = encoded(Image.fromarray((GREY * scale).astype(np.float32)), "TIFF")
    assert error(to_input(data, SMALL), plain(Image.fromarray(GREY.astype(np.uint8)))) <= 1


def test_floating_grey_with_holes_is_read() -> None:
    values = np.full((32, 32), 0.5, np.float32)
    values[:8], values[8:16], values[16:24] = np.nan, np.inf, -np.inf
    assert to_input(encoded(Image.fromarray(values), "TIFF"), SMALL).shape == (32, 32, 3)


@pytest.mark.parametrize("pillow_format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "MPO"])
def test_of_an_animation_the_first_frame_counts(pillow_format: str) -> None:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], pillow_format, save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(data)) as image:
        assert getattr(image, "n_frames", 1) == 3
    red, green, blue = to_input(data, SMALL).mean(axis=(0, 1))
    assert red > 240
    assert green < 15
    assert blue < 15


def test_a_grey_photo_may_be_letterboxed_too() -> None:
    pixels = to_input(encoded(scene().convert("L"), "JPEG"), Geometry("letterbox", 32))
    assert (pixels[..., 0] == pixels[..., 2]).all()


def transparent_palette() -> Image.Image:
    image = scene().quantize(16)
    image.info["transparency"] = 3
    return image


LARGE = {
    **{mode: scene().convert(mode) for mode in ("1", "L", "CMYK", "P", "YCbCr", "RGBA", "LA", "RGBa", "RGB")},
    "P with a transparent colour": transparent_palette(),
    "PA": transparent_palette().convert("PA"),
    "I": Image.fromarray(np.linspace(0, 40_000, 3000, dtype=np.int32).reshape(50, 60)),
    "I;16": Image.fromarray(np.linspace(0, 65_535, 3000).astype(np.uint16).reshape(50, 60)),
    "F": Image.fromarray(np.linspace(-1, 300, 3000, dtype=np.float32).reshape(50, 60)),
    "F up to 1": Image.fromarray(np.linspace(0, 1, 3000, dtype=np.float32).reshape(50, 60)),
}


@pytest.mark.parametrize("mode", LARGE)
@pytest.mark.parametrize("geometry", [SMALL, Geometry("letterbox", 32)])
def test_a_large_picture_converted_in_bands_gives_the_same_pixels(
    mode: str, geometry: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = to_input(LARGE[mode].copy(), geometry)
    monkeypatch.setattr("contract.rgb.BAND_PIXELS", 7 * LARGE[mode].width)
    assert np.array_equal(to_input(LARGE[mode].copy(), geometry), whole)


@pytest.mark.parametrize("mode", ["P", "I;16"])
def test_a_picture_of_64_megapixels_takes_hardly_more_memory_than_its_own_pixels(
    tmp_path: Path, root: Path, mode: str
) -> None:
    large = Image.new(mode, (8000, 8000))
    if mode == "P":
        large.info["transparency"] = 0
    large.save(tmp_path / "large.png", compress_level=1)
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from contract.geometry import Geometry, to_input\n"
        "data = Path(sys.argv[1]).read_bytes()\n"
        "to_input(Path(sys.argv[2]).read_bytes(), Geometry(size_px=224))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "to_input(data, Geometry(size_px=224))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    scene().convert(mode).save(tmp_path / "small.png")
    files = [str(tmp_path / name) for name in ("large.png", "small.png")]
    done = subprocess.run([sys.executable, "-c", code, *files], cwd=root, capture_output=True, text=True, check=True)
    taken = int(done.stdout) * 1024
    assert taken < 64e6 * (2 if mode == "I;16" else 1) + 60e6

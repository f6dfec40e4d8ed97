"""Cached features are those that were computed, or are computed again; damage is said."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contract.geometry import Geometry
from training.dataset.cache import cache_root, decode_all
from training.dataset.layout import Photo
from training.dataset.samples import Samples
from training.network.features import features_of
from training.network.network import build
from training.progress import Reporter
from training.recipe.recipe import Input, Recipe


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def zeroed(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def with_a_flipped_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[150] ^= 1
    file.write_bytes(data)


def of_fewer_photos(file: Path) -> None:
    np.save(file, np.zeros((2, 8), np.float32))


def unreadable(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)  # which even root cannot open


@pytest.mark.usefixtures("small_backbone")
def test_damaged_features_are_computed_again_and_said(
    tmp_path: Path,
    make_photos: Callable[..., list[Path]],
    reporter: Reporter,
    story: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = make_photos(tmp_path, "red", 3)
    found = decode_all(paths, Geometry(size_px=32))
    samples = Samples(tuple(Photo(path, 0) for path in paths), found.rows, found.hashes, found.pixels)
    model = build(Recipe(weights="none", input=Input(size_px=32)), 2, None)
    wanted = np.array(features_of(model, samples, "weights", reporter))
    (file,) = (cache_root() / "features").glob("*.npy")
    whole = file.read_bytes()
    for damage in (truncated, emptied, zeroed, with_a_flipped_bit, of_fewer_photos, unreadable):
        damage(file)
        story.truncate(0)
        assert np.array_equal(features_of(model, samples, "weights", reporter), wanted), damage
        assert "are damaged" in story.getvalue(), damage
        assert file.read_bytes() == whole, damage
    story.truncate(0)
    features_of(model, samples, "weights", reporter)
    assert story.getvalue().strip("\0") == ""
    monkeypatch.setattr("training.network.features.decoders", lambda: "Pillow 12.0.0")
    features_of(model, samples, "weights", reporter)
    assert len([*file.parent.glob("*.npy")]) == 2, "photos that were decoded otherwise have other features"

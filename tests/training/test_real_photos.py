"""Real photos and real initial weights: the head alone already tells scenes apart."""

import shutil
from pathlib import Path

import pytest

from contract.shipped import SHIPPED_BROAD
from training.broad.card import card_text
from training.errors import WeightsError
from training.network.broad_network import read_broad
from training.network.weights import find_weights, initial_weights, sha256_of, weights_path
from training.pipeline import train_run
from training.progress import Reporter
from training.recipe.learning import FineTune
from training.recipe.recipe import Input, Recipe, Weights
from training.run import load_run


@pytest.mark.parametrize("weights", ["broad", "imagenet"])
def test_a_head_on_the_features_of_the_initial_network_tells_scenes_apart(
    weights: Weights, tmp_path: Path, shared: Path, reporter: Reporter
) -> None:
    for split, count in (("train", 16), ("test", 10)):
        for label in ("forest", "sea", "street"):
            folder = tmp_path / "photos" / split / label
            folder.mkdir(parents=True)
            for photo in sorted((shared / "scenes" / split / label).iterdir())[:count]:
                shutil.copy(photo, folder)
    recipe = Recipe(weights=weights, input=Input(size_px=96), fine_tune=FineTune(epochs=0))
    trained = train_run(tmp_path / "photos", tmp_path / "run", recipe, None, reporter)
    assert trained.test is not None
    assert trained.test.photos == 30
    assert trained.test.accuracy >= 0.8
    origin = load_run(tmp_path / "run").manifest["weights"]
    files = {"broad": SHIPPED_BROAD, "imagenet": find_weights("MobileNetV2")}
    assert origin == {"name": weights, "file": files[weights].name, "sha256": sha256_of(files[weights])}


def test_the_broad_network_that_ships_is_whole_and_another_backbone_begins_with_imagenets_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_broad(SHIPPED_BROAD).projection.shape == (1280, 128)
    card = card_text(SHIPPED_BROAD.name, read_broad(SHIPPED_BROAD))
    assert SHIPPED_BROAD.with_suffix(".md").read_text(encoding="utf-8") == card
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    weights_path("EfficientNetB0").write_bytes(b"")
    with pytest.raises(WeightsError, match="EfficientNetB0"):  # its file was looked for, and is no such file
        initial_weights(Recipe(backbone="EfficientNetB0"))

"""Each backbone is what Keras has under that name: pixels, weights file, hash, and blocks counted as the field does."""

import inspect
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from training.errors import RecipeError, WeightsError
from training.network.network import build
from training.recipe.backbones import BACKBONES, block_starts, check_backbone, make_backbone
from training.recipe.recipe import Backbone, Recipe

PHOTOS = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)


def keras_module(name: str) -> Any:
    """The module of keras.applications that defines a backbone, where its helpers can be replaced."""
    import keras

    return sys.modules[getattr(keras.applications, name).__module__]


def random_file(name: str, folder: Path) -> Path:
    """A weights file as Keras has it, with random values, EfficientNet's normalisation being the real one."""
    import keras

    keras.utils.set_random_seed(1)
    model = getattr(keras.applications, name)(include_top=False, input_shape=(32, 32, 3), weights=None)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.set_weights([np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225)), np.array(0)])
    model.save(folder / "weights.h5")
    return folder / "weights.h5"


def keras_answers(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """What Keras's own network makes of the photos by its own recipe, and the address it would have fetched from."""
    asked: list[str] = []

    def held(fname: str, origin: str, **_: object) -> str:
        asked.append(origin)
        return str(file)

    module = keras_module(name)
    monkeypatch.setattr(module.file_utils, "get_file", held)
    network = getattr(module, name)(include_top=False, input_shape=(32, 32, 3), weights="imagenet")
    return network.predict_on_batch(module.preprocess_input(PHOTOS.astype(np.float32))), asked[0]


@pytest.mark.parametrize("name", ["VGG16", "EfficientNetB0"])
def test_photos_reach_the_weights_as_keras_itself_would_bring_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    file = random_file(name, tmp_path)
    due, url = keras_answers(name, file, monkeypatch)
    model = build(Recipe().with_options({"backbone": name, "input.size_px": 32}), 2, file)
    maps = keras.Model(model.input, model.get_layer("pool").input).predict_on_batch(PHOTOS)
    assert due.std() > 0
    assert np.abs(maps - due).max() < 1e-4 * due.std()
    assert url == BACKBONES[name].url
    assert len(block_starts([layer.name for layer in model.get_layer("base").layers])) == BACKBONES[name].blocks


@pytest.mark.parametrize("name", BACKBONES)
def test_hash_and_smallest_size_are_those_of_keras(name: str) -> None:
    source = inspect.getsource(keras_module(name))
    assert f'"{BACKBONES[name].md5}"' in source or not BACKBONES[name].md5
    assert f"min_size={BACKBONES[name].smallest_px}," in source


def test_a_recipe_may_name_these_backbones_and_no_others() -> None:
    assert get_args(Backbone) == tuple(BACKBONES)


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("Xception", {1: "block14_sepconv1", 3: "block12_sepconv1_act", 14: "block1_conv1"}),
        ("VGG16", {1: "block5_conv1", 5: "block1_conv1"}),
        ("ResNet50", {1: "conv5_block3_1_conv", 16: "conv2_block1_1_conv"}),
    ],
)
def test_blocks_are_those_of_the_paper(name: str, begins: dict[int, str]) -> None:
    names = [layer.name for layer in make_backbone(name, BACKBONES[name].smallest_px).layers]
    starts = block_starts(names)
    assert len(starts) == BACKBONES[name].blocks
    assert {blocks: names[starts[-blocks]] for blocks in begins} == begins


def test_blocks_whose_layers_have_no_names_begin_behind_the_one_before() -> None:
    model = make_backbone("InceptionResNetV2", 75)
    starts = block_starts([layer.name for layer in model.layers])
    assert len(starts) == BACKBONES["InceptionResNetV2"].blocks
    before = [model.layers[start - 1].name for start in starts]
    assert before[0] == "mixed_5b"
    assert before[10:12] == ["block35_10_ac", "mixed_6a"]
    assert before[-11:] == ["block17_20_ac", "mixed_7a", *(f"block8_{place}_ac" for place in range(1, 10))]


def test_photos_too_small_and_too_many_blocks_are_refused_with_what_would_do() -> None:
    check_backbone("Xception", 71, 14)
    with pytest.raises(RecipeError, match="71 px or more, but the recipe trains on 64 px"):
        check_backbone("Xception", 64, None)
    with pytest.raises(RecipeError, match="is 15 blocks, but Xception has 14"):
        check_backbone("Xception", 96, 15)


def test_the_weights_of_another_network_are_refused_in_a_sentence(tmp_path: Path) -> None:
    import keras

    file = tmp_path / "weights.h5"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(file)
    with pytest.raises(WeightsError, match=r"weights\.h5 cannot be loaded into VGG16"):
        make_backbone("VGG16", 32, file)

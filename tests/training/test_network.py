"""The network does what the recipe says: which layers learn, how batch norm behaves, where weights come from."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from contract.geometry import Geometry, Mode
from training.dataset.cache import cache_root, decode_all
from training.dataset.cache_contents import REST, clean_cache, list_cache
from training.dataset.layout import Photo
from training.dataset.samples import Samples
from training.errors import WeightsError
from training.measure.metrics import softmax
from training.network.features import features_of
from training.network.network import build, feature_model, top_model, two_columns, unfreeze
from training.progress import Reporter, Tick
from training.recipe.backbones import BACKBONES, block_starts
from training.recipe.learning import FineTune
from training.recipe.recipe import Input, Network, Recipe
from training.recipe.recipe_file import load_recipe

RECIPE = Recipe(weights="none", input=Input(size_px=32), fine_tune=FineTune(unfreeze="all", batch_norm="train"))
PHOTOS = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)


def norms(model: Any) -> list[Any]:
    import keras

    base = model.get_layer("base")
    return [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]


def after_a_step(recipe: Recipe) -> tuple[Any, list[Any], list[Any]]:
    """A network trained by one step; (it, the moving means before, and after)."""
    import keras

    model = build(recipe, 2, None)
    unfreeze(model, recipe.fine_tune)
    before = [layer.get_weights()[2] for layer in norms(model)]
    model.compile(keras.optimizers.AdamW(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.train_on_batch(PHOTOS, np.arange(8) % 2)
    return model, before, [layer.get_weights()[2] for layer in norms(model)]


@pytest.mark.usefixtures("small_backbone")
def test_batch_norm_learns_the_photos_statistics_or_keeps_its_own() -> None:
    _, before, after = after_a_step(RECIPE)
    assert not any(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    frozen = replace(RECIPE, fine_tune=FineTune(unfreeze="all", batch_norm="frozen"))
    model, before, after = after_a_step(frozen)
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert unfreeze(model, frozen.fine_tune) > 0


def test_the_momentum_of_batch_norm_is_the_recipes() -> None:
    model = build(replace(RECIPE, fine_tune=FineTune(batch_norm_momentum=0.5)), 2, None)
    assert {layer.momentum for layer in norms(model)} == {0.5}


@pytest.mark.usefixtures("small_backbone")
@pytest.mark.parametrize(("last", "learns"), [(0, False), (1, False), (2, True), (9, True), ("all", True)])
def test_only_the_layers_unfrozen_learn(last: int | str, learns: bool) -> None:
    recipe = Recipe().with_options({"fine_tune.unfreeze": last, "fine_tune.batch_norm": "train", "input.size_px": 32})
    _, before, after = after_a_step(recipe)  # the last layers are a batch norm and a ReLU
    assert learns != np.array_equal(before[-1], after[-1])


def test_layers_are_counted_from_the_end() -> None:
    model = build(RECIPE, 2, None)
    everything, five, one = (unfreeze(model, FineTune(unfreeze=last, batch_norm="train")) for last in ("all", 5, 2))
    assert everything > five > one > 0
    layers = model.get_layer("base").layers
    unfreeze(model, FineTune(unfreeze=1, batch_norm="train"))
    assert [layer.trainable for layer in layers] == [False] * 153 + [True]
    unfreeze(model, FineTune(unfreeze="2 blocks", batch_norm="train"))
    assert next(layer.name for layer in layers if layer.trainable) == "block_15_expand"
    assert all(layer.trainable for layer in layers[134:])
    assert len(block_starts([layer.name for layer in layers])) == BACKBONES["MobileNetV2"].blocks


def test_the_last_four_layers_are_those_of_keras_and_learn_with_the_head_alone() -> None:
    import keras

    recipe = load_recipe("last-four").with_options({"weights": "none", "input.size_px": 32})
    model = build(recipe, 10, None)
    unfreeze(model, recipe.fine_tune)
    there = keras.applications.MobileNetV2(include_top=False, input_shape=(32, 32, 3), weights=None)
    names = [layer.name for layer in there.layers[-4:]]
    assert names == ["block_16_project_BN", "Conv_1", "Conv_1_bn", "out_relu"]
    assert [layer.name for layer in model.get_layer("base").layers if layer.trainable] == names
    learning = {weight.path.split("/")[-2] for weight in model.trainable_weights}
    assert learning == {"block_16_project_BN", "Conv_1", "Conv_1_bn", "logits"}


@pytest.mark.usefixtures("small_backbone")
def test_what_stands_on_the_backbone_is_the_recipes_and_can_learn_alone() -> None:
    wide = Recipe().with_options({"input.size_px": 32, "network.hidden": [6, 4], "network.batch_norm": True})
    model = build(wide.with_options({"network.l2": 0.5}), 3, None)
    own = ["hidden_1", "hidden_1_norm", "hidden_1_relu", "hidden_2", "hidden_2_norm", "hidden_2_relu"]
    assert [layer.name for layer in model.layers] == ["images", "scale", "base", "pool", *own, "dropout", "logits"]
    assert [layer.momentum for layer in model.layers if layer.name.endswith("norm")] == [0.98, 0.98]
    kernels = [model.get_layer(name).get_weights()[0] for name in ("hidden_1", "hidden_2", "logits")]
    assert float(sum(model.losses)) == pytest.approx(0.5 * sum(float((kernel**2).sum()) for kernel in kernels))
    top = top_model(model)
    features = feature_model(model).predict_on_batch(PHOTOS)
    np.testing.assert_allclose(top.predict_on_batch(features), model.predict_on_batch(PHOTOS), atol=1e-6)
    unfreeze(model, FineTune(unfreeze=0))
    assert [weight.path for weight in model.trainable_weights] == [weight.path for weight in top.trainable_weights]
    assert model.get_layer("logits") is top.get_layer("logits")


@pytest.mark.usefixtures("small_backbone")
def test_without_hidden_layers_the_features_are_normalised() -> None:
    model = build(Recipe().with_options({"input.size_px": 32, "network.batch_norm": True}), 3, None)
    assert [layer.name for layer in model.layers][3:] == ["pool", "norm", "dropout", "logits"]


@pytest.mark.usefixtures("small_backbone")
def test_one_unit_answers_for_two_classes() -> None:
    model = build(Recipe().with_options({"input.size_px": 32, "network.sigmoid": True}), 2, None)
    logits = model.predict_on_batch(PHOTOS)
    assert logits.shape == (8, 1)
    sigmoid = 1 / (1 + np.exp(-logits[:, 0]))
    np.testing.assert_allclose(softmax(two_columns(logits)), np.stack([1 - sigmoid, sigmoid], 1), atol=1e-6)
    assert two_columns(np.ones((2, 3), np.float32)).shape == (2, 3)


@pytest.mark.usefixtures("small_backbone")
@pytest.mark.parametrize(("scaling", "ends"), [("unit", (0, 1)), ("backbone", (-1, 1))])
def test_pixels_are_scaled_as_the_backbone_wants_them_or_to_one(scaling: str, ends: tuple[int, int]) -> None:
    import keras

    model = build(Recipe().with_options({"input.size_px": 32, "input.scaling": scaling}), 2, None)
    scaled = keras.Model(model.input, model.get_layer("scale").output)
    black_and_white = np.stack([np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 255, np.uint8)])
    found = scaled.predict_on_batch(black_and_white)
    assert (found[0].max(), found[1].min()) == pytest.approx(ends)


@pytest.mark.usefixtures("small_backbone")
def test_features_are_kept_for_the_same_photos_weights_and_geometry_alone(
    tmp_path: Path, make_photos: Callable[..., list[Path]], reporter: Reporter
) -> None:
    model = build(RECIPE, 2, None)
    photos = make_photos(tmp_path, "red", 3, size=(90, 30))

    def features(mode: Mode, origin: str, paths: list[Path]) -> NDArray[np.float32]:
        found = decode_all(paths, Geometry(mode, 32))
        held = tuple(Photo(path, 0) for path in paths)
        return features_of(model, Samples(held, found.rows, found.hashes, found.pixels), origin, reporter)

    first = features("stretch", "w stretch", photos)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    assert np.array_equal(features("stretch", "w stretch", photos), first)
    for mode, origin, paths in (
        ("letterbox", "w letterbox", photos),
        ("stretch", "v stretch", photos),
        ("stretch", "w stretch", photos[::-1]),
        ("stretch", "", photos),
    ):
        assert not np.array_equal(features(mode, origin, paths), first)  # type: ignore[arg-type]


@pytest.mark.usefixtures("small_backbone")
def test_features_under_way_survive_a_cleaning_and_a_look_at_them_counts_as_a_use(
    tmp_path: Path, make_photos: Callable[..., list[Path]], reporter: Reporter
) -> None:
    class Cleaning(Reporter):
        @contextmanager
        def work(self, name: str, total: int) -> Iterator[Tick]:
            assert {item.kind for item in clean_cache(cache_root(), float("inf")).busy} == {REST}
            with super().work(name, total) as tick:
                yield tick

    paths = make_photos(tmp_path, "red", 3)
    found = decode_all(paths, Geometry(size_px=32))
    samples = Samples(tuple(Photo(path, 0) for path in paths), found.rows, found.hashes, found.pixels)
    model = build(RECIPE, 2, None)
    features_of(model, samples, "weights", Cleaning(reporter.console))
    (held,) = list_cache(cache_root())
    os.utime(held.files[0], (0, 0))
    features_of(model, samples, "weights", reporter)
    (held,) = list_cache(cache_root())
    assert held.used_s > 0


def test_dropout_and_the_number_of_classes_are_the_recipes() -> None:
    model = build(replace(RECIPE, network=Network(dropout=0.4)), 7, None)
    assert model.get_layer("dropout").rate == 0.4
    assert model.output_shape == (None, 7)
    assert feature_model(model).output_shape == (None, 1280)


def test_a_weights_file_is_loaded_at_any_size(shared: Path) -> None:
    (file,) = (shared / "keras" / "models").glob("mobilenet_v2*_1.0_224_no_top.h5")
    small, large = build(RECIPE, 2, file), build(replace(RECIPE, input=Input(size_px=64)), 2, file)
    for one, other in zip(small.get_layer("base").get_weights(), large.get_layer("base").get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_damaged_weights_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "weights.h5"
    file.write_bytes(b"x" * 1000)
    with pytest.raises(WeightsError, match="cannot be loaded"):
        build(RECIPE, 2, file)

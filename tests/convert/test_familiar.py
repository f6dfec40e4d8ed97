"""Familiarity through the conversion: the model tells strangers in every precision, and another graph is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.session import Model, open_model
from contract.shipped import SHIPPED_BROAD
from convert.errors import EmbeddingMismatchError
from convert.familiar import Familiar, compare_familiarity, moved_threshold, with_broad_features
from convert.gate import open_on_cpu
from convert.pipeline import convert_run
from tests.convert import conftest
from tests.convert.conftest import LABELS, Scenes, write_run_of
from training.errors import RunError
from training.fit.familiarity import FamiliarityFile, choose_threshold, fit_centres
from training.fit.regression import fit_head
from training.network.broad_network import embed, read_broad, unit_length
from training.run import FAMILIARITY, load_run, write_manifest

SIZE_PX = 96  # at 64 px, broad features of drawings are mostly 0


def drawings(per_kind: int, first_seed: int = 0) -> tuple[Any, Any]:
    """Scenes and their labels."""
    return conftest.drawings(per_kind, first_seed, SIZE_PX)


def noise(seed: int = 0) -> Any:
    """Pictures of nothing."""
    return np.random.default_rng(seed).integers(0, 256, (16, SIZE_PX, SIZE_PX, 3), np.uint8)


@pytest.fixture(scope="module")
def network() -> Any:
    """The broad network with a head on its features that tells the drawn scenes."""
    from training.network.tails import assemble
    from training.recipe.recipe import Input, Recipe

    recipe, features = Recipe(input=Input(size_px=SIZE_PX)), features_of(drawings(16)[0])
    head = fit_head(unit_length(features), drawings(16)[1], len(LABELS), 30.0)
    return assemble(recipe, SHIPPED_BROAD, None, head.kernel, head.bias)


def features_of(images: Any) -> Any:
    """Pooled broad features, float32 [n, 1280]."""
    from training.network.network import broad_features

    return broad_features(SIZE_PX, SHIPPED_BROAD)(images, training=False).numpy()


@pytest.fixture(scope="module")
def run(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with familiarity."""
    folder = tmp_path_factory.mktemp("runs") / "scenes"
    write_run_of(network, Scenes.draw(tmp_path_factory.mktemp("scenes")), folder, {"seed": 3})
    features, labels = features_of(drawings(16)[0]), drawings(16)[1]
    broad = read_broad(SHIPPED_BROAD)
    other = unit_length(features_of(noise()))  # so that the graph has a background too
    file = FamiliarityFile(fit_centres(features, labels, len(LABELS), other, 0), broad.projection)
    file.write(folder / FAMILIARITY)
    found = choose_threshold(file.centres.familiarity(features_of(drawings(16, 40)[0]))[0])
    facts = {"id": "broad", "dimensions": 128, "centres": len(file.centres.rows), "photos": found.photos}
    facts |= {"threshold": found.value, "kept": found.kept, "kept_at_least": found.kept_at_least}
    manifest = json.loads((folder / "run.json").read_text())
    write_manifest(folder, manifest | {"familiarity": facts})
    return folder


@pytest.fixture(scope="module", params=["fp32", "int8"])
def model(run: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Model:
    output = tmp_path_factory.mktemp("converted") / f"{request.param}.onnx"
    made = convert_run(run, output, lambda _step, _found: None, request.param, 50)
    opened = open_model(output, "cpu")
    assert made.familiarity == opened.contract.familiarity
    return opened


def test_the_model_keeps_photos_of_its_classes_and_tells_noise(model: Model) -> None:
    answers = model.answer(drawings(4, 200)[0])
    assert model.contract.familiarity is not None
    assert answers.familiarity is not None
    assert answers.nearest is not None
    threshold = model.contract.familiarity.threshold
    assert (answers.familiarity >= threshold).mean() >= 0.9
    assert (answers.nearest == drawings(4, 200)[1]).mean() > 0.8
    strange = model.answer(noise(1)).familiarity
    assert strange is not None
    assert (strange < threshold).all()


def test_embeddings_are_those_of_the_broad_network_whatever_the_classes(model: Model, run: Path) -> None:
    images = drawings(2, 300)[0]
    found = model.answer(images)
    assert found.embedding is not None
    cosines = (found.embedding * embed(features_of(images), read_broad(SHIPPED_BROAD).projection)).sum(axis=1)
    exact = model.contract.precision == "fp32"
    assert model.contract.familiarity is not None
    threshold = json.loads((run / "run.json").read_text())["familiarity"]["threshold"]
    assert (model.contract.familiarity.threshold == threshold) == exact
    assert cosines.min() > (0.9999 if exact else 0.9)
    assert model.contract.familiarity.id.startswith("broad-fp32" if exact else "broad-int8-")


def test_a_threshold_moves_with_the_familiarity_of_the_least_familiar_photos() -> None:
    before = np.linspace(0.3, 0.9, 100, dtype=np.float32)
    assert moved_threshold(0.4, before, before - np.float32(0.05)) == pytest.approx(0.35, abs=1e-6)
    assert moved_threshold(0.4, before, np.where(before > 0.5, 0, before)) == pytest.approx(0.4, abs=1e-6)


def test_other_centres_in_the_graph_are_noticed(run: Path, network: Any, tmp_path: Path) -> None:
    familiar = Familiar.of(load_run(run))
    assert familiar is not None
    convert_run(run, tmp_path / "model.onnx", lambda _step, _found: None)
    session = open_on_cpu((tmp_path / "model.onnx").read_bytes())
    images, both = drawings(1)[0], with_broad_features(network)
    assert compare_familiarity(both, familiar, session, images) < 1e-4
    familiar.centres.others[:] = familiar.centres.rows[: len(familiar.centres.others)]
    with pytest.raises(EmbeddingMismatchError, match="differ from Keras's"):
        compare_familiarity(both, familiar, session, images)


def _without_file(folder: Path) -> None:
    (folder / FAMILIARITY).unlink()


def _with_other_file(folder: Path) -> None:
    rows = np.eye(4, 1280, dtype=np.float32)
    centres = fit_centres(rows, np.arange(4), 4, rows[:0], 0)
    FamiliarityFile(centres, np.eye(1280, 128, dtype=np.float32)).write(folder / FAMILIARITY)


@pytest.mark.parametrize("spoil", [_without_file, _with_other_file])
def test_a_file_that_is_missing_or_of_another_run_is_refused(
    run: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoilt = shutil.copytree(run, tmp_path / "run")
    spoil(spoilt)
    with pytest.raises(RunError, match="Train the run again"):
        convert_run(spoilt, tmp_path / "model.onnx", lambda _step, _found: None)
    assert not (tmp_path / "model.onnx").exists()


def test_a_run_whose_network_has_no_broad_features_is_refused(network: Any) -> None:
    import keras

    without = keras.Model(network.input, network.get_layer("base")(network.get_layer("scale")(network.input)))
    with pytest.raises(RunError, match="no broad features"):
        with_broad_features(without)

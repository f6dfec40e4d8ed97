"""Familiarity through the conversion: the model tells strangers in every precision, and another graph is refused."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from contract.geometry import Geometry, to_input
from contract.memory import Memory, read_memory
from contract.session import Model, open_model, read_contract
from contract.shipped import SHIPPED_BROAD, SHIPPED_MODEL
from convert.errors import EmbeddingMismatchError, MemoryMismatchError
from convert.familiar import Familiar, compare_familiarity, moved_threshold, with_broad_features
from convert.gate import open_on_cpu
from convert.graph import from_model
from convert.head import head_of
from convert.memory import make_memory
from convert.pipeline import convert_run
from tests.convert import conftest
from tests.convert.conftest import LABELS, Scenes, write_run_of
from training.errors import RunError
from training.fit.familiarity import FamiliarityFile, choose_threshold, fit_centres
from training.fit.regression import fit_head
from training.measure.metrics import softmax
from training.measure.predictions import Predictions, read_predictions, write_predictions
from training.network.broad_network import embed, read_broad, unit_length
from training.run import FAMILIARITY, MEMORY, PREDICTIONS, load_run, write_manifest

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
    """A finished run with familiarity and a memory."""
    folder, scenes = tmp_path_factory.mktemp("runs") / "scenes", Scenes.draw(tmp_path_factory.mktemp("scenes"))
    write_run_of(network, scenes, folder, {"seed": 3})
    features, labels = features_of(drawings(16)[0]), drawings(16)[1]
    broad = read_broad(SHIPPED_BROAD)
    other = unit_length(features_of(noise()))  # so that the graph has a background too
    file = FamiliarityFile(fit_centres(features, labels, len(LABELS), other, 0), broad.projection)
    file.write(folder / FAMILIARITY)
    found = choose_threshold(file.centres.familiarity(features_of(drawings(16, 40)[0]))[0])
    facts = {"id": "broad", "dimensions": 128, "centres": len(file.centres.rows), "photos": found.photos}
    facts |= {"threshold": found.value, "kept": found.kept, "kept_at_least": found.kept_at_least}
    manifest = json.loads((folder / "run.json").read_text())
    write_manifest(folder, manifest | {"familiarity": facts, "memory": _write_memory(network, scenes, folder)})
    return folder


def _write_memory(network: Any, scenes: Scenes, folder: Path) -> dict[str, Any]:
    """The memory of a head that has learnt from all but every second validation photo, and predictions.csv to it."""
    images = np.stack([to_input(photo.path, Geometry(size_px=SIZE_PX)) for photo in scenes.photos])
    features, learnt = unit_length(features_of(images)), np.arange(len(images)) % 2 == 0
    kernel, bias = network.get_layer("logits").get_weights()
    answers = softmax(features @ kernel + bias, conftest.TEMPERATURE)
    found = Predictions(scenes.photos, answers, answers, None, learnt)
    write_predictions(folder / PREDICTIONS, found, scenes.root, LABELS)
    gate = features[~learnt], found.true[~learnt]
    memory = Memory.of(LABELS, (1280,), unit_length(features_of(drawings(16)[0])), gate, features[:0])
    (folder / MEMORY).write_bytes(memory.to_bytes())
    return memory.facts(hashlib.sha256(memory.to_bytes()).hexdigest()).to_value()


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of nothing, as files."""
    folder = tmp_path_factory.mktemp("strangers")
    for number, pixels in enumerate(noise()):
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module", params=["fp32", "int8"])
def output(
    run: Path, strangers: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    """A model of the run."""
    output = tmp_path_factory.mktemp("converted") / f"{request.param}.onnx"
    made = convert_run(run, output, lambda _step, _found: None, request.param, 50, strangers)
    contract = open_model(output, "cpu").contract
    assert (made.familiarity, made.memory) == (contract.familiarity, contract.memory)
    return output


@pytest.fixture(scope="module")
def model(output: Path) -> Model:
    return open_model(output, "cpu")


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


def test_the_memory_lies_beside_the_model_with_pictures_of_no_class_and_the_contract_names_it(
    model: Model, output: Path, run: Path
) -> None:
    facts, recorded = model.contract.memory, Memory.from_bytes((run / MEMORY).read_bytes())
    assert facts is not None
    assert (facts.anchors, facts.gate, facts.strangers) == (96, 24, 16)
    memory = read_memory(output, facts)
    assert memory is not None
    assert memory.with_strangers(recorded.strangers()).to_bytes() == recorded.to_bytes()
    cosines = (memory.strangers() * unit_length(features_of(noise()))).sum(axis=1)
    assert cosines.min() > (0.999 if model.contract.precision == "fp32" else 0.9)  # of the file's own graph


def _without_memory(folder: Path) -> None:
    (folder / MEMORY).unlink()


def _with_another_memory(folder: Path) -> None:
    memory = Memory.from_bytes((folder / MEMORY).read_bytes())
    (folder / MEMORY).write_bytes(memory.with_strangers(memory.anchors()[:1]).to_bytes())


def _remembered_otherwise(folder: Path, change: Callable[[Memory], Memory]) -> None:
    data = change(Memory.from_bytes((folder / MEMORY).read_bytes())).to_bytes()
    (folder / MEMORY).write_bytes(data)
    manifest = json.loads((folder / "run.json").read_text())
    facts = manifest["memory"] | {"sha256": hashlib.sha256(data).hexdigest()}
    write_manifest(folder, manifest | {"memory": facts})


def _with_other_classes(folder: Path) -> None:
    def exchanged(memory: Memory) -> Memory:
        features, classes = memory.gate()
        gate = features, classes[::-1]
        return Memory.of(memory.labels, memory.widths, memory.anchors(), gate, memory.strangers())

    _remembered_otherwise(folder, exchanged)


def _with_other_features(folder: Path) -> None:
    def exchanged(memory: Memory) -> Memory:
        features, classes = memory.gate()
        gate = features[::-1], classes
        return Memory.of(memory.labels, memory.widths, memory.anchors(), gate, memory.strangers())

    _remembered_otherwise(folder, exchanged)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_without_memory, "is missing or damaged"),
        (_with_another_memory, "is not the memory of this run"),
        (_with_other_classes, "does not hold the photos that no head has learnt from"),
        (_with_other_features, "do not give the answers of predictions.csv"),
    ],
)
def test_a_memory_that_is_not_of_the_run_is_refused(
    run: Path, output: Path, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoilt = shutil.copytree(run, tmp_path / "run")
    spoil(spoilt)
    loaded = load_run(spoilt)
    validation = read_predictions(spoilt / PREDICTIONS, loaded.dataset, loaded.labels).of("val")
    with pytest.raises(MemoryMismatchError, match=words):
        make_memory(loaded, onnx.load(output), validation, ())


def test_the_shipped_memory_gives_the_accuracy_that_the_model_has_on_photos_it_held_back() -> None:
    proto = onnx.load(SHIPPED_MODEL)
    head, contract = head_of(from_model(proto)), read_contract(proto.SerializeToString())
    assert contract.memory is not None
    memory = read_memory(SHIPPED_MODEL, contract.memory)
    assert memory is not None
    assert head is not None
    features, classes = memory.gate()
    assert (head.probabilities(features).argmax(axis=1) == classes).mean() == pytest.approx(0.936, abs=0.0005)
    assert len(memory.anchors()) == len(features) == 1000
    doubtful = [float((head.probabilities(some).max(axis=1) < 0.9).mean()) for some in (memory.anchors(), features)]
    assert doubtful == pytest.approx([0.552, 0.174], abs=0.005), "half of the anchors hold the borders"


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

"""The golden sample notices what it is there for: other arithmetic, another geometry, no opinion at all."""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from common.drawing import KINDS, draw_scene
from common.errors import ContractError, ModelError
from contract.answers import Answers
from contract.geometry import Geometry, Pixels, to_input
from contract.golden import MINIMUM_MARGIN, make_golden, pattern, replay
from contract.metadata import Contract
from contract.session import Model, open_model
from tests.colour_model import FAMILIAR, LABELS, colour_model, with_metadata

PATTERNS = {
    (0, 32): "5b7b751a3f8787a2",
    (1, 224): "ccacd3f784f5e628",
    (47, 96): "d8046c3d11a90129",
}
"""SHA-256 of patterns: models out there hold answers to them, so they may never change."""


@pytest.fixture(scope="module")
def model() -> Model:
    return open_model(colour_model(), "cpu")


@pytest.mark.parametrize(("seed", "size_px"), PATTERNS)
def test_patterns_never_change(seed: int, size_px: int) -> None:
    pixels = pattern(seed, size_px)
    assert pixels.shape == (size_px, size_px, 3)
    assert pixels.dtype == np.uint8
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == PATTERNS[seed, size_px]


def test_patterns_of_different_seeds_differ() -> None:
    assert len({pattern(seed, 32).tobytes() for seed in range(48)}) == 48


def test_a_pattern_of_any_number_can_be_made() -> None:
    assert pattern(-(10**400), 16).shape == (16, 16, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawing_is_the_same_each_time_and_another_for_another_seed(kind: str) -> None:
    first = draw_scene(kind, 1, (160, 96))
    assert first.size == (160, 96)
    assert first.tobytes() == draw_scene(kind, 1, (160, 96)).tobytes()
    assert first.tobytes() != draw_scene(kind, 2, (160, 96)).tobytes()


def test_an_unknown_kind_is_not_drawn() -> None:
    with pytest.raises(KeyError):
        draw_scene("moon", 1)


def test_the_sample_holds_clear_answers_of_several_classes_of_both_kinds(model: Model) -> None:
    for source in ("pattern", "encoded"):
        answers = [case.probabilities for case in model.contract.golden[:-1] if case.source == source]
        assert 1 <= len(answers) <= 3
        assert len({int(np.argmax(answer)) for answer in answers}) == len(answers)
        assert all(np.diff(sorted(answer))[-1] >= MINIMUM_MARGIN for answer in answers)
    assert len(model.contract.golden) >= 4


def test_the_sample_repeats_on_the_processor_that_made_it(model: Model) -> None:
    assert model.golden_difference < 1e-5
    assert make_golden(model.answer, model.contract.geometry) == model.contract.golden


def one_opinion(images: Pixels) -> Answers:
    return Answers(np.full((len(images), 3), 1 / 3, np.float32))


def no_number(images: Pixels) -> Answers:
    return Answers(np.full((len(images), 3), np.nan, np.float32))


@pytest.mark.parametrize("run", [one_opinion, no_number])
def test_a_model_without_a_clear_opinion_gets_no_sample(run: Callable[[Pixels], Answers]) -> None:
    with pytest.raises(ContractError, match="no clear prediction"):
        make_golden(run, Geometry(size_px=32))


def test_a_contract_without_a_sample_cannot_be_replayed(model: Model) -> None:
    with pytest.raises(ContractError, match="no golden sample"):
        replay(model.answer, replace(model.contract, golden=()), "cpu")


@pytest.mark.parametrize("source", ["pattern", "encoded"])
def test_a_changed_answer_is_noticed(model: Model, source: str) -> None:
    case = next(case for case in model.contract.golden if case.source == source)
    shares = np.asarray(case.probabilities) * 0.95 + 0.05 / 3  # a little less sure of it
    spoilt = replace(model.contract, golden=(replace(case, probabilities=tuple(shares.tolist())),))
    with pytest.raises(ModelError, match="does not compute what was verified"):
        replay(model.answer, spoilt, "cpu")


def test_a_changed_weight_is_noticed(model: Model) -> None:
    tolerant = dict.fromkeys(("cpu", "cuda", "decoder"), 0.5)
    other = open_model(colour_model(gain=12.1, golden=model.contract.golden, tolerance=tolerant), "cpu")
    with pytest.raises(ModelError, match="does not compute"):
        replay(other.answer, model.contract, "cpu")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda answers: np.full_like(answers, np.nan),
        lambda answers: answers[:, ::-1],
        lambda answers: np.zeros_like(answers),
    ],
    ids=["nan", "classes-swapped", "zeros"],
)
def test_other_arithmetic_is_noticed(model: Model, wrong: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
    with pytest.raises(ModelError, match="does not compute"):
        replay(lambda images: Answers(wrong(model.run(images))), model.contract, "cpu")


@pytest.mark.parametrize(
    "wrong",
    [lambda answers: answers[:1], lambda answers: answers[:, :2], lambda answers: answers[0]],
    ids=["one-photo-of-two", "a-class-less", "no-batch"],
)
def test_answers_of_another_shape_are_noticed(
    model: Model, wrong: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> None:
    with pytest.raises(ModelError, match="shape"):
        replay(lambda images: Answers(wrong(model.run(images))), model.contract, "cpu")


def test_the_tolerance_is_that_of_the_provider(model: Model) -> None:
    def slightly_off(images: Pixels) -> Answers:
        return Answers(model.run(images) + np.float32(5e-4))

    patterns = tuple(case for case in model.contract.golden if case.source == "pattern")
    contract = replace(model.contract, golden=patterns)
    assert replay(slightly_off, contract, "cuda") == pytest.approx(5e-4, rel=0.05)
    with pytest.raises(ModelError, match="on cpu"):
        replay(slightly_off, contract, "cpu")


def test_every_encoded_case_shows_another_geometry(model: Model) -> None:
    """The mean colours are enough: this network, blind to place, could not tell."""
    wrong = Geometry("letterbox", 32)
    for case in model.contract.golden:
        if case.source == "encoded":
            with pytest.raises(ModelError, match="not decoded as when"):
                replay(model.answer, replace(model.contract, geometry=wrong, golden=(case,)), "cpu")


def test_every_encoded_case_shows_a_lost_exif_turn(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contract.geometry._TURNS", {})
    for case in model.contract.golden:
        if case.source == "encoded":
            with pytest.raises(ModelError, match="not decoded as when"):
                replay(model.answer, replace(model.contract, golden=(case,)), "cpu")


def test_swapped_colours_are_noticed(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "contract.golden.to_input", lambda data, geometry, most: to_input(data, geometry, most)[..., ::-1]
    )
    with pytest.raises(ModelError, match="not decoded as when"):
        replay(model.answer, model.contract, "cpu")


def test_a_golden_file_that_is_no_photo_is_the_models_fault(model: Model) -> None:
    case = next(case for case in model.contract.golden if case.encoded)
    spoilt = replace(model.contract, golden=(replace(case, encoded=case.encoded[:99]),))
    with pytest.raises(ModelError, match="Golden file"):
        replay(model.answer, spoilt, "cpu")


def test_the_last_case_is_a_jpeg_that_is_reduced_while_it_is_decoded(model: Model) -> None:
    with Image.open(io.BytesIO(model.contract.golden[-1].encoded)) as image:
        before, (least, _) = image.size, (2 * model.contract.geometry.size_px,) * 2
        image.draft(None, (least, least))
        assert (image.width * 2, image.height * 2) == before
        assert image.height >= least


@pytest.mark.parametrize(
    ("size", "kind", "words"), [((5000, 5000), "PNG", "more than 4 megapixels"), ((40, 40), "GIF", "JPEG or PNG")]
)
def test_a_golden_file_of_a_hostile_model_is_not_decoded(
    model: Model, size: tuple[int, int], kind: str, words: str
) -> None:
    out = io.BytesIO()
    Image.new("1", size).save(out, kind)
    case = replace(model.contract.golden[-1], encoded=out.getvalue())
    with pytest.raises(ModelError, match=words):
        replay(model.answer, replace(model.contract, golden=(case,)), "cpu")


def test_the_sample_is_small_enough_to_travel(model: Model) -> None:
    contract: Contract = model.contract
    assert len(contract.to_json()) < 100_000
    assert json.loads(contract.to_json())["golden"]


@pytest.fixture(scope="module")
def familiar() -> Model:
    return open_model(colour_model(familiarity=FAMILIAR), "cpu")


@pytest.mark.parametrize("values", ["embedding", "familiarity"])
def test_another_embedding_or_familiarity_is_noticed(familiar: Model, values: str) -> None:
    def off(images: Pixels) -> Answers:
        answers = familiar.answer(images)
        return answers._replace(**{values: getattr(answers, values) + np.float32(0.06)})

    assert replay(familiar.answer, familiar.contract, "cpu") < 1e-4
    with pytest.raises(ModelError, match=f"the {values} differs by 0.06"):
        replay(off, familiar.contract, "cpu")


def test_a_model_with_familiarity_answers_it_for_each_photo(familiar: Model) -> None:
    red, grey = np.zeros((2, 32, 32, 3), np.uint8)
    red[..., 0], grey[...] = 255, 128
    answers = familiar.answer(np.stack([red, grey]))
    assert answers.embedding is not None
    assert answers.familiarity is not None
    assert answers.nearest is not None
    assert answers.familiarity == pytest.approx([1.0, 3**-0.5], abs=1e-3)
    assert answers.nearest[0] == 0
    assert np.linalg.norm(answers.embedding, axis=1) == pytest.approx([1.0, 1.0], abs=1e-3)


def test_a_graph_without_the_outputs_that_its_contract_names_is_refused() -> None:
    graph = colour_model(golden=())
    named = json.loads(Contract(LABELS, Geometry(size_px=32), familiarity=FAMILIAR).to_json())
    with pytest.raises(ContractError, match="graph of the model has"):
        open_model(with_metadata(graph, json.dumps(named)), "cpu")

"""A model that gives no numbers: one photo fails alone, a model that answers nothing keeps the photos in the inbox."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from common.errors import Reason
from contract.geometry import Pixels
from contract.session import Model
from daemon.classify import unjudged as answers_module
from daemon.classify.classify import classify
from daemon.classify.unjudged import IN_A_ROW, AnswerCheck
from tests.colour_model import LABELS
from tests.daemon.support import daemon, encoded, model, plain, run, tree, unique, write
from tests.doubtful_model import doubtful_model, opened_doubtful


class Session:
    """In the place of onnxruntime's: answers each picture with what it is told to."""

    def __init__(self, answer: list[float]) -> None:
        self.answer = answer

    def run(self, _names: object, inputs: dict[str, NDArray[np.uint8]], _options: object) -> list[NDArray[np.float32]]:
        (images,) = inputs.values()
        return [np.tile(np.array(self.answer, np.float32), (len(images), 1))]


def answering(*answer: float) -> Model:
    return replace(model(), session=Session(list(answer)))


def picture(colour: tuple[int, int, int] = (255, 0, 0), size_px: int = 32) -> Pixels:
    return np.full((size_px, size_px, 3), colour, np.uint8)


@pytest.mark.parametrize(
    "answer",
    [
        (np.nan, np.nan, np.nan), (0.5, np.nan, 0.5), (np.inf, 0, 0), (np.inf, -np.inf, 1), (0, 0, 0), (1, 1, 1),
        (-1, 1, 1), (3e38, 3e38, 0),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
def test_what_is_no_probabilities_is_a_fault_of_the_photo_that_names_the_model(answer: tuple[float, ...]) -> None:
    for count in (1, 2):
        given = list(classify(answering(*answer), [picture()] * count))
        assert len(given) == count
        for one in given:
            assert one.scores is None
            assert one.fault is not None
            assert one.fault.reason is Reason.UNJUDGED
            assert one.fault.detail == f"the model {model().sha256[:12]} gave no valid scores for this picture"


def test_probabilities_that_lower_precision_has_rounded_are_numbers() -> None:
    (one,) = classify(answering(0.97, 0.02, -0.004), [picture()])
    assert one.fault is None
    assert one.scores is not None


@pytest.mark.parametrize("half", [False, True])
def test_of_a_batch_those_without_numbers_alone_have_a_fault(half: bool) -> None:
    pictures = [picture(colour) for colour in ((255, 0, 0), (0, 0, 255), (0, 0, 0))]
    red, blue, black = classify(opened_doubtful(half=half), pictures)
    assert [one.fault is None for one in (red, blue, black)] == [False, True, False]
    assert [one.scores is None for one in (red, blue, black)] == [True, False, True]
    assert blue.scores is not None
    assert np.isfinite(blue.scores).all()


def looked(answers: AnswerCheck, serving: Model, count: int) -> list[str]:
    return [answers.trouble(serving, classify(serving, [picture()])) for _ in range(count)]


def test_a_model_that_answered_no_photo_yet_is_to_blame_for_the_eighth() -> None:
    answers, silent = AnswerCheck(), answering(np.nan, 0, 0)
    *before, last = looked(answers, silent, IN_A_ROW)
    assert before == [""] * (IN_A_ROW - 1)
    assert last == "the model gave no valid scores for any of the first 8 photos. Use another model"
    assert looked(answers, silent, 1) == [last.replace("8", "9")]
    another = replace(silent, sha256="0" * 64)  # a swap
    assert looked(answers, another, 1) == [""]


def test_a_model_that_answers_its_golden_sample_is_not_to_blame_and_seldom_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(answers_module, "replay", lambda *_: asked.append(1))
    answers, silent = AnswerCheck(), answering(np.nan, 0, 0)
    assert looked(answers, answering(1, 0, 0), 1) == [""]
    assert looked(answers, silent, 100) == [""] * 100
    assert len(asked) == 4  # after 8, 16, 32 and 64


def test_a_model_that_has_stopped_to_answer_is_to_blame_until_it_answers_again() -> None:
    answers, broken = AnswerCheck(), answering(np.nan, 0, 0)
    looked(answers, answering(1, 0, 0), 1)
    assert looked(answers, broken, IN_A_ROW - 1) == [""] * (IN_A_ROW - 1)
    for said in looked(answers, broken, 3):
        assert said.startswith("the model gives no valid scores any more (The model does not compute what was verified")
    assert looked(answers, answering(1, 0, 0), 1) == [""]
    assert looked(answers, broken, 1) == [""]


def settings(folder: Path) -> list[Any]:
    (folder / "in").mkdir()
    file = write(folder / "doubtful.onnx", doubtful_model())
    return ["--inbox", folder / "in", "--output", folder / "out", "--model", file, "--workers", "2"]


def test_photos_without_numbers_fail_with_a_reason_and_the_others_are_filed(tmp_path: Path) -> None:
    arguments = settings(tmp_path)
    black = encoded(Image.new("RGB", (40, 40), "black"), "PNG")
    for number in range(30):
        write(tmp_path / "in" / f"{number:02}.jpg", unique("green", number), mtime_s=1e9)
    for number in range(12):  # more than make a model suspicious
        write(tmp_path / "in" / f"0{number}-black.jpg", black + bytes([number]), mtime_s=1e9)
    done = run("sort", *arguments)
    assert done.returncode == 0, done.stderr
    filed = tree(tmp_path / "out")
    whys = {name: filed.pop(name).decode() for name in list(filed) if name.endswith(".why.txt")}
    assert len(whys) == 12
    assert all("gave no valid scores for this picture" in why for why in whys.values())
    assert sorted(filed) == sorted(
        [f"_failed/0{number}-black.jpg" for number in range(12)] + [f"green/{number:02}.jpg" for number in range(30)]
    )
    assert "ledger" not in done.stderr


def test_photos_of_a_model_that_answers_none_stay_until_it_answers_one(tmp_path: Path) -> None:
    arguments = settings(tmp_path)
    for number in range(40):
        write(tmp_path / "in" / f"{number}.jpg", unique("red", number), mtime_s=1e9)
    with daemon(*arguments) as running:
        held = running.until(lambda event: event.get("outcome") == "again", "a photo that stays")
        assert held["reason"].startswith("the model gave no valid scores for any of the first")
        write(tmp_path / "b", plain("blue")).rename(tmp_path / "in" / "b.jpg")
        running.until(lambda event: event.get("label") == "blue", "the photo that it can judge")
        left = len(tree(tmp_path / "in"))
        assert 40 - 2 * IN_A_ROW < left <= 40 - IN_A_ROW + 1
        assert running.stop() == 0
    assert LABELS[0] not in {path.name for path in (tmp_path / "out").iterdir()}

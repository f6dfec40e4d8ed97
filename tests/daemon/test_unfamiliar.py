"""Photos unlike those that a model has learnt from go to review, and everybody who asks hears of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from contract.answers import Answers
from contract.familiarity import Familiarity
from contract.session import Model, open_model
from daemon.classify.classify import classify
from daemon.classify.decide import judge
from daemon.classify.loaded_model import LoadedModel, rules_of
from daemon.commands.questions.history import ask as rows_of
from daemon.ledger.queries import RecordFilter
from daemon.photo import Filing, Found, Judgement, Outcome, Photo, Read
from daemon.ready import of_unfamiliar
from daemon.review import Likeness, ReviewReason
from daemon.status.strangers import FIRST, Strangers
from tests.colour_model import FAMILIAR, LABELS, colour_model
from tests.daemon.house import House, ask, told
from tests.daemon.support import encoded, identity, model, plain, saying, tree, unique, write

GREY = encoded(Image.new("RGB", (40, 40), "grey"))
"""The colour model takes it for red, as for green and blue; it is unlike each of them."""


@pytest.fixture(scope="module")
def familiar() -> Model:
    return open_model(colour_model(familiarity=FAMILIAR), "cpu")


def pixels(colour: str) -> Any:
    return np.asarray(Image.new("RGB", (32, 32), colour))


def judged(opened: Model, colour: str, review_below: str | float = "off", **options: Any) -> Judgement:
    (answer,) = classify(opened, [pixels(colour)])
    return judge(Found(Path("a.jpg"), identity()), Read(), answer, rules_of(opened, review_below, **options))


def test_an_unfamiliar_photo_goes_to_review_before_anybody_asks_how_sure_its_class_is(familiar: Model) -> None:
    found = judged(familiar, "grey", 1.0)
    assert (found.outcome, found.folder, found.review_reason) == (Outcome.REVIEW, "_review", ReviewReason.UNFAMILIAR)
    assert found.reason == "unfamiliar: 0.58, nearest to red; the limit is 0.90"
    assert judged(familiar, "grey", "off").review_reason is ReviewReason.UNFAMILIAR
    unsure = judged(familiar, "red", 1.0)
    assert (unsure.folder, unsure.review_reason) == ("_review", ReviewReason.UNSURE)
    assert judged(familiar, "blue").folder == "blue"


def test_unfamiliar_photos_are_filed_on_request_and_their_likeness_is_known_all_the_same(familiar: Model) -> None:
    found = judged(familiar, "grey", unfamiliar="file")
    assert (found.folder, found.review_reason, found.reason) == ("red", None, "")
    assert str(found.likeness) == "0.58, nearest to red"
    assert judged(familiar, "grey", 0.5, unfamiliar="file").review_reason is ReviewReason.UNSURE


def test_a_model_without_familiarity_judges_as_before() -> None:
    found = judged(model(), "grey")
    assert (found.folder, found.likeness, found.review_reason) == ("red", None, None)


@pytest.mark.parametrize("unfamiliar", ["review", "file"])
def test_a_photo_of_the_class_other_goes_to_review_as_unfamiliar(unfamiliar: Literal["review", "file"]) -> None:
    opened = open_model(colour_model(("red", "green", "_other")), "cpu")
    found = judged(opened, "blue", unfamiliar=unfamiliar)
    assert (found.outcome, found.folder, found.review_reason) == (Outcome.REVIEW, "_review", ReviewReason.UNFAMILIAR)
    assert found.reason == "unfamiliar: _other 1.00"
    assert judged(opened, "red").folder == "red"
    said = of_unfamiliar(LoadedModel(opened, rules_of(opened, "off", unfamiliar=unfamiliar)), Path("/a/sorted"))
    assert said == "photos unlike these go to sorted/_review"


def test_two_numbers_that_differ_are_not_shown_as_one() -> None:
    assert str(Likeness(0.578, "sea", 0.58)) == "0.5780, nearest to sea; the limit is 0.5800"
    assert str(Likeness(0.412, "sea", 0.58)) == "0.41, nearest to sea; the limit is 0.58"


@pytest.mark.parametrize(("familiarity", "nearest"), [(np.nan, 0), (np.inf, 0), (0.9, len(LABELS)), (0.9, -1)])
def test_a_familiarity_that_is_no_number_fails_its_photo_as_scores_do_that_are_none(
    familiar: Model, monkeypatch: pytest.MonkeyPatch, familiarity: float, nearest: int
) -> None:
    whole = familiar.answer(pixels("red")[np.newaxis])
    broken = Answers(whole.probabilities, whole.embedding, np.array([familiarity], np.float32), np.array([nearest]))
    monkeypatch.setattr(Model, "answer", lambda *_: broken)
    found = judged(familiar, "red")
    assert found.outcome is Outcome.FAILED
    assert found.reason == f"unjudged: the model {familiar.sha256[:12]} gave no valid familiarity for this picture"


def test_an_answer_brings_the_embedding_of_its_photo(familiar: Model) -> None:
    answers = list(classify(familiar, [pixels("red"), pixels("blue")]))
    assert [np.round(answer.embedding, 4).tolist() for answer in answers if answer.embedding is not None] == [
        [1.0, 0.0, 0.0], [0.0, 0.0, 1.0],
    ]  # fmt: skip
    assert [answer.embedding for answer in classify(model(), [pixels("red")])] == [None]


@pytest.mark.parametrize(
    ("familiarity", "unfamiliar", "said"),
    [
        (FAMILIAR, "review", "photos unlike these go to sorted/_review"),
        (FAMILIAR, "file", "photos unlike these are filed like all others"),
        (
            None,
            "review",
            "photos unlike these are filed like all others, because this model cannot tell which those are",
        ),
    ],
)
def test_the_ready_line_says_what_happens_to_photos_of_no_class(
    familiarity: Familiarity | None, unfamiliar: Literal["review", "file"], said: str
) -> None:
    opened = open_model(colour_model(familiarity=familiarity), "cpu")
    serving = LoadedModel(opened, rules_of(opened, "off", unfamiliar=unfamiliar))
    assert of_unfamiliar(serving, Path("/a/sorted")) == said


class Sorted:
    """Two photos of the classes and two grey ones, sorted in this process."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.inbox, self.output = folder / "in", folder / "sorted"
        self.inbox.mkdir()
        self.output.mkdir()
        self.model = write(folder / "m.onnx", colour_model(familiarity=FAMILIAR, gain=4.0))
        self.words: list[str | Path] = ["--inbox", self.inbox, "--output", self.output, "--model", self.model]
        self.out = self.err = ""

    def __call__(self, *options: str, **photos: bytes) -> "Sorted":
        """Drop photos, by default four, and sort; what was printed is in `out` and `err`."""
        given = photos or {"red": plain("red"), "blue": plain("blue"), "grey": GREY, "dim": GREY + b"2"}
        for name, data in given.items():
            write(self.inbox / f"{name}.jpg", data, mtime_s=1.0)
        return self.again(*options)

    def again(self, *options: str) -> "Sorted":
        self._capfd.readouterr()
        result = ask("sort", *self.words, *options)
        self.out, self.err = self._capfd.readouterr()
        assert result.exit_code == 0, self.err
        return self


@pytest.fixture
def sort(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Sorted:
    return Sorted(tmp_path, capfd)


def test_sort_says_beforehand_where_such_photos_go_and_afterwards_how_many_did(sort: Sorted) -> None:
    done = sort()
    assert sorted(tree(done.output)) == ["_review/dim.jpg", "_review/grey.jpg", "blue/blue.jpg", "red/red.jpg"]
    assert "m.onnx knows red, green, blue; photos unlike these go to sorted/_review.\n" in done.err
    assert "(unfamiliar: 0.58, nearest to red; the limit is 0.90)" in done.out
    assert "blue 1, red 1, _review 2 (unfamiliar 2)" in done.err
    shown = ask("status", "--inbox", done.inbox).stdout
    assert "for review  2: unfamiliar 2\n" in shown


def test_with_unfamiliar_file_every_photo_gets_a_class_and_the_ready_line_says_so(sort: Sorted) -> None:
    done = sort("--unfamiliar", "file")
    assert sorted(tree(done.output)) == ["blue/blue.jpg", "red/dim.jpg", "red/grey.jpg", "red/red.jpg"]
    assert "knows red, green, blue; photos unlike these are filed like all others.\n" in done.err


def test_the_ledger_knows_reason_familiarity_and_nearest_class_and_those_who_ask_hear_them(sort: Sorted) -> None:
    done = sort()
    rows = {Path(row["path"]).name: row for row in told("history", "--inbox", done.inbox)}
    grey, red = rows["grey.jpg"], rows["red.jpg"]
    assert (grey["review_reason"], grey["nearest"], grey["familiarity_limit"]) == ("unfamiliar", "red", 0.9)
    assert grey["familiarity"] == pytest.approx(0.57735, abs=1e-3)
    assert (red["review_reason"], red["nearest"]) == (None, "red")
    assert len(told("history", "--inbox", done.inbox, "--reason", "unfamiliar")) == 2
    assert told("history", "--inbox", done.inbox, "--reason", "unsure") == []
    assert "review red 0.33, unfamiliar" in ask("history", "--inbox", done.inbox).stdout
    explained = ask("explain", "--inbox", done.inbox, done.output / "_review" / "grey.jpg").stdout
    assert "familiarity    0.58, nearest to red; the limit is 0.90\n" in explained
    assert "grey.jpg was put into _review as unfamiliar by the model" in explained
    assert "1.00, nearest to red" in ask("explain", done.output / "red" / "red.jpg").stdout


@pytest.mark.parametrize("mode", ["move", "copy"])
def test_a_better_model_gets_those_in_review_again(sort: Sorted, mode: str) -> None:
    pale = encoded(Image.new("RGB", (40, 40), (255, 60, 60)))
    done = sort("--mode", mode, "--review-below", "0.98", red=pale, grey=GREY, blue=plain("blue"))
    assert sorted(tree(done.output)) == ["_review/blue.jpg", "_review/grey.jpg", "_review/red.jpg"]
    back = told("retry", "--inbox", done.inbox, "--state", "review", "--reason", "unfamiliar")
    assert [Path(row["path"]).name for row in back] == ["grey.jpg"]
    write(done.model, colour_model(("grau", "green", "blue")))
    sort.again("--mode", mode)
    assert sorted(tree(done.output)) == ["_review/blue.jpg", "_review/red.jpg", "grau/grey.jpg"]
    assert len(told("retry", "--inbox", done.inbox, "--state", "review")) == 2
    sort.again("--mode", mode)
    assert sorted(tree(done.output)) == ["blue/blue.jpg", "grau/grey.jpg", "grau/red.jpg"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--reason", "unsure"), "--reason needs --state review"),
        (("--undone", "--state", "review"), "--state and --undone cannot be combined"),
        (("--undone", "--reason", "unsure"), "--reason needs --state review"),
    ],
)
def test_what_retry_cannot_choose_by_is_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    House(tmp_path / "house")
    result = ask("retry", *words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_replay_counts_what_would_go_to_review_as_unfamiliar(sort: Sorted) -> None:
    done = sort("--unfamiliar", "file")
    words: list[str | Path] = ["replay", "--model", done.model, "--inbox", done.inbox]
    *photos, summary = told(*words)
    assert (summary["different"], summary["unfamiliar"]) == (2, 2)
    assert {photo["would_be"]["review_reason"] for photo in photos} == {None, "unfamiliar"}
    assert "would file 2 of 4 photos differently, 50.0 %; 2 would go to review as unfamiliar. " in ask(*words).stdout
    assert told(*words, "--unfamiliar", "file")[-1]["unfamiliar"] == 0


def photo_judged(reason: ReviewReason | None, model: str = "m", limit: float | None = 0.9) -> Photo:
    outcome = Outcome.FILED if reason is None else Outcome.REVIEW
    judgement = Judgement(outcome, likeness=Likeness(0.5, "red", limit), review_reason=reason, model=model)
    return Photo(Found(Path("a.jpg"), identity()), judgement=judgement, filing=Filing(outcome))


@pytest.mark.parametrize(("strange", "said"), [(FIRST // 5, 0), (FIRST // 5 + 1, 1)])
def test_many_strangers_among_the_first_photos_are_said_once_with_the_ways_out(strange: int, said: int) -> None:
    heard: list[str] = []
    counter = Strangers(saying(heard))
    photos = [photo_judged(ReviewReason.UNFAMILIAR)] * strange + [photo_judged(None)] * (FIRST - strange)
    counter.add(photos[:-1])
    assert heard == []
    counter.add(photos[-1:] * 300)
    counter.add([photo_judged(ReviewReason.UNFAMILIAR)] * 300)
    counter.end()
    assert len(heard) == said
    assert [counter.note] == (heard or [""])
    assert all("--unfamiliar file" in words and f"{strange} of the first {FIRST}" in words for words in heard)


@pytest.mark.parametrize("tells", [True, False])
def test_another_model_is_counted_from_zero_and_what_was_said_of_the_former_one_ends(tells: bool) -> None:
    heard: list[str] = []
    counter = Strangers(saying(heard))
    counter.add([photo_judged(ReviewReason.UNFAMILIAR)] * FIRST)
    assert counter.note
    other = photo_judged(None, "other")
    if not tells:
        other.judgement = replace(other.judgement, likeness=None)
    counter.add([other] * FIRST)
    assert (counter.note, len(heard)) == ("", 1)


def test_a_handful_of_photos_and_those_that_are_filed_on_request_are_no_evidence() -> None:
    heard: list[str] = []
    few, on_request = Strangers(saying(heard)), Strangers(saying(heard))
    few.add([photo_judged(ReviewReason.UNFAMILIAR)] * 19)
    on_request.add([photo_judged(None, limit=None)] * FIRST)
    few.end()
    on_request.end()
    assert heard == []


def test_an_inbox_of_another_kind_of_photos_is_told_by_sort_by_its_dry_run_and_by_the_status_afterwards(
    sort: Sorted,
) -> None:
    grey = {f"g{number}": GREY + bytes([number]) for number in range(15)}
    done = sort("--dry-run", **grey, **{f"r{number}": unique("red", number) for number in range(9)})
    sentence = "15 of the first 24 photos are unlike those that the model has learnt from"
    assert done.err.count(sentence) == 1
    assert sort.again().err.count(sentence) == 1
    assert f"unfamiliar  {sentence}" in ask("status", "--inbox", done.inbox).stdout
    (status,) = told("status", "--inbox", done.inbox, code=1)
    assert status["unfamiliar"].startswith(sentence)
    assert status["reviews"] == {"unfamiliar": 15}


def test_scripts_read_reason_and_likeness_of_each_photo_and_the_sums(sort: Sorted) -> None:
    done = sort("--json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert events[0]["familiarity_limit"] == 0.9
    (grey,) = (event for event in events if event.get("path", "").endswith("grey.jpg"))
    assert (grey["outcome"], grey["review_reason"], grey["nearest"]) == ("review", "unfamiliar", "red")
    assert events[-1]["reviews"] == {"unfamiliar": 2}
    assert [row.record.intent.likeness is None for row in rows_of(done.inbox, RecordFilter(), -1)] == [False] * 4


@pytest.mark.parametrize("mode", ["move", "copy"])
def test_notes_on_request_keep_the_guess_beside_a_photo_in_review_until_it_leaves(sort: Sorted, mode: str) -> None:
    done = sort("--review-notes", "--mode", mode, grey=GREY, red=plain("red"))
    assert sorted(tree(done.output)) == ["_review/grey.jpg", "_review/grey.jpg.why.txt", "red/red.jpg"]
    assert (done.output / "_review" / "grey.jpg.why.txt").read_text().splitlines() == [
        "grey.jpg could not be filed under a class.",
        "unfamiliar: 0.58, nearest to red; the limit is 0.90",
        "The most probable classes: blue 0.33, green 0.33, red 0.33",
    ]
    told("retry", "--inbox", done.inbox, "--state", "review")
    assert sorted(tree(done.output)) == ["red/red.jpg"]

"""A new model takes over from the one at work, without a stop: the daemon is a real process under load."""

import json
import signal
from pathlib import Path

import pytest

from contract.familiarity import Familiarity
from daemon.intake.walk import MARKER
from daemon.models.history import ModelEvent
from tests.colour_model import FAMILIAR, LABELS, colour_graph, colour_model, contract_text, with_changes, with_metadata
from tests.daemon.support import daemon, digest, model_file, plain, roots, tree, wait_until, write
from tests.daemon.swap import LABELS_OF, NEW, OLD, OTHERS, load, replace_model, rows, told_of_models


def test_a_model_is_swapped_under_load_and_every_photo_is_judged_by_one_of_both(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    model = model_file(tmp_path)
    with daemon("--inbox", inbox, "--output", output, "--model", model) as process:
        process.ready()
        with load(inbox) as names:
            for data in (NEW, OLD, NEW, OLD):
                seen = len(process.events)
                process.until(lambda _: len(process.events) > seen + 100, "photos at work")  # noqa: B023
                replace_model(model, data)
                process.process.send_signal(signal.SIGHUP)
                swap = process.until(lambda event: event["event"] == "model", "the swap")
                assert (swap["what"], swap["sha256"]) == ("used", digest(data))
        wait_until(lambda: [path.name for path in inbox.iterdir()] == [MARKER], "all filed")
        assert process.stop() == 0
    filed = rows(inbox)
    assert len(filed) == len(names) == len(tree(output))
    assert {row["state"] for row in filed} == {"filed"}
    assert {row["model"] for row in filed} == {digest(OLD), digest(NEW)}
    for row in filed:
        labels = LABELS_OF[row["model"]]
        assert row["label"] == labels[int(Path(row["source"].decode()).stem) % 3]
        assert set(json.loads(row["top"])) == set(labels)
        assert Path(row["destination"].decode()).parent.name == row["label"]
    assert [entry.what for entry in told_of_models(inbox)] == [ModelEvent.STARTED, *[ModelEvent.USED] * 4]


def _wrong_golden() -> bytes:
    golden = json.loads(contract_text(OLD))["golden"]
    for case in golden:
        case["probabilities"] = case["probabilities"][::-1]
    return with_changes(OLD, golden=golden)


BROKEN = {
    "cut off": NEW[: len(NEW) // 2],
    "empty": b"",
    "another golden sample": _wrong_golden(),
    "a label that leads out": with_changes(NEW, labels=["../../x", "vert", "bleu", "jaune"]),
    "no contract": colour_graph(3),
    "another size than its contract": with_metadata(colour_graph(3, 64), contract_text(OLD)),
    "no onnx": b"GIF89a" + bytes(500),
}


def test_a_broken_model_is_refused_with_its_reason_while_the_old_one_works_on(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    model = model_file(tmp_path)
    with daemon("--inbox", inbox, "--output", output, "--model", model) as process:
        process.ready()
        for number, data in enumerate(BROKEN.values()):
            replace_model(model, data)
            process.process.send_signal(signal.SIGHUP)
            told = process.until(lambda event: event["event"] == "model", "the refusal")
            assert told["what"] == "refused", told
            assert told["reason"], told
            assert not told["reason"].startswith(str(model)), "the event names the file already"
            write(tmp_path / "part", plain("red")).rename(inbox / f"{number}.jpg")
            assert process.photos({f"{number}.jpg"})[f"{number}.jpg"]["label"] == "red"
        model.unlink()
        process.process.send_signal(signal.SIGHUP)
        assert process.until(lambda event: event["event"] == "model", "the refusal")["what"] == "refused"
        assert process.stop() == 0
    history = told_of_models(inbox)
    assert [entry.what for entry in history] == [ModelEvent.STARTED] + [ModelEvent.REFUSED] * (len(BROKEN) + 1)
    assert {row["model"] for row in rows(inbox)} == {digest(OLD)}
    assert {len(entry.reason.splitlines()) for entry in history[1:]} == {1}


def test_a_model_that_would_file_into_the_inbox_is_refused(tmp_path: Path) -> None:
    output = tmp_path / "output"
    inbox = output / "vert"
    inbox.mkdir(parents=True)
    model = model_file(tmp_path)
    with daemon("--inbox", inbox, "--output", output, "--model", model) as process:
        process.ready()
        replace_model(model, NEW)
        process.process.send_signal(signal.SIGHUP)
        told = process.until(lambda event: event["event"] == "model", "the refusal")
        assert "is the folder vert of the output" in told["reason"]
        assert process.stop() == 0


def test_a_model_that_serves_already_is_said_to_be_unchanged(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    with daemon("--inbox", inbox, "--output", output, "--model", model_file(tmp_path)) as process:
        assert process.ready()["labels"] == list(LABELS)
        process.process.send_signal(signal.SIGHUP)
        assert process.until(lambda event: event["event"] == "model", "the answer")["what"] == "unchanged"
        assert process.stop() == 0


@pytest.mark.parametrize(
    ("thresholds", "familiarity", "colour", "label", "reason"),
    [
        ({"rouge": 1.0}, None, "red", "rouge", "unsure"),
        ({}, None, "red", "rouge", None),
        ({}, FAMILIAR, "grey", "jaune", "unfamiliar"),
    ],
)
def test_the_thresholds_are_those_of_the_model_that_judged(
    tmp_path: Path,
    thresholds: dict[str, float],
    familiarity: Familiarity | None,
    colour: str,
    label: str,
    reason: str | None,
) -> None:
    inbox, output = roots(tmp_path)
    model = model_file(tmp_path)
    with daemon("--inbox", inbox, "--output", output, "--model", model, "--review-below", "auto") as process:
        process.ready()
        replace_model(model, colour_model(OTHERS, thresholds=thresholds, familiarity=familiarity))
        process.process.send_signal(signal.SIGHUP)
        swap = process.until(lambda event: event["event"] == "model", "the swap")
        assert swap["familiarity_limit"] == (0.9 if familiarity else None)
        write(tmp_path / "part", plain(colour)).rename(inbox / "1.jpg")
        photo = process.photos({"1.jpg"})["1.jpg"]
        assert (photo["outcome"], photo["label"]) == ("review" if reason else "filed", label)
        assert photo["review_reason"] == reason
        assert process.stop() == 0

"""From labels and a model file to a better model file, without Keras."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from contract.geometry import to_input
from contract.session import open_model
from contract.shipped import SHIPPED_MODEL
from learn.errors import LearnError
from learn.fitting.trial import PULL_BARE
from learn.fresh import learn_fresh
from learn.label_file import FiledPhoto, Label, read_labels, spread
from learn.material import memory_of
from learn.model.base import open_base
from learn.model.familiar import strangers_passing, taught_centres
from learn.pipeline import LearnResult, learn
from learn.publish import files_of, publish
from learn.show import lines
from tests.daemon.house import ask
from tests.learn.conftest import Draw, line

AT = datetime(2026, 11, 30, tzinfo=UTC)
KIND, OTHER_KIND = "street", "sea"


def _label(path: Path, said: str, *, founder: str = "", held_out: bool = False) -> Label:
    digest = sha256(path.read_bytes()).hexdigest()
    return Label(digest, said, path, founder or digest, held_out, False, "sea")


def _filed(path: Path) -> FiledPhoto:
    return FiledPhoto(sha256(path.read_bytes()).hexdigest(), path)


def _learn(model: Path, labels: list[Label], filed: list[FiledPhoto], folder: Path) -> LearnResult:
    return learn(model, labels, filed, lambda _, __: None, threads=2, cache=folder / "cache", at=AT)


@pytest.fixture
def drawn(draw: Draw) -> list[Label]:
    """Labels of a class that the shipped model does not know."""
    return [_label(draw(KIND, seed), "drawings") for seed in range(12)]


def test_a_new_class_is_learnt_from_drawings_and_they_are_familiar_then(
    drawn: list[Label], draw: Draw, tmp_path: Path
) -> None:
    filed = [_filed(draw(OTHER_KIND, seed)) for seed in range(6)]
    result = _learn(SHIPPED_MODEL, drawn, filed, tmp_path)
    assert result.data is not None
    new, old = open_model(result.data, "cpu"), open_model(SHIPPED_MODEL, "cpu")
    assert new.contract.labels == (*old.contract.labels, "drawings")
    assert new.contract.learned is not None
    assert new.contract.learned.root == old.sha256
    assert new.contract.learned.added == ("drawings",)
    pictures = np.stack([to_input(draw(KIND, seed), new.contract.geometry) for seed in range(20, 26)])
    answers = new.answer(pictures)
    assert (answers.probabilities.argmax(axis=1) == len(old.contract.labels)).all()
    assert new.contract.familiarity is not None
    assert answers.familiarity is not None
    assert (answers.familiarity >= new.contract.familiarity.threshold).all()
    before = old.answer(pictures)
    assert answers.embedding is not None
    assert before.embedding is not None
    assert np.abs(answers.embedding - before.embedding).max() < 1e-6


def test_two_runs_and_any_order_of_labels_give_the_same_bytes(drawn: list[Label], tmp_path: Path) -> None:
    one = _learn(SHIPPED_MODEL, drawn, [], tmp_path)
    other = _learn(SHIPPED_MODEL, drawn[::-1], [], tmp_path)
    assert one.data is not None
    assert one.data == other.data


def test_learning_begins_at_the_root_so_a_label_that_was_taken_back_leaves_nothing(
    drawn: list[Label], draw: Draw, tmp_path: Path
) -> None:
    more = [_label(draw("forest", seed), "glacier") for seed in range(3)]
    first = _learn(SHIPPED_MODEL, [*drawn, *more], [], tmp_path)
    model = tmp_path / "learnt.onnx"
    publish(files_of(first, model))
    again, direct = _learn(model, drawn, [], tmp_path), _learn(SHIPPED_MODEL, drawn, [], tmp_path)
    assert again.data is not None
    assert direct.data is not None
    one, other = open_base(again.data), open_base(direct.data)
    assert (one.serving.layer.kernel == other.serving.layer.kernel).all()
    assert (one.serving.centres == other.serving.centres).all()
    assert one.root.sha256 == other.root.sha256 == open_model(SHIPPED_MODEL, "cpu").sha256


def test_it_counts_the_pictures_of_no_class_that_a_new_class_lets_pass(
    drawn: list[Label], draw: Draw, tmp_path: Path
) -> None:
    none = [_label(draw(KIND, seed), "_other") for seed in range(20, 26)]
    result = _learn(SHIPPED_MODEL, [*drawn, *none], [], tmp_path)
    before, after, count = result.strangers
    assert before < after == count == 6, "they are drawn like those of the new class"
    base, said = open_base(SHIPPED_MODEL.read_bytes()), result.said
    memory = memory_of(SHIPPED_MODEL, base)
    assert memory is not None
    like, width = said.rows(said.strangers), base.root.centres.shape[1]
    nobody = said.without({one.sha256 for one in none})
    stored = memory.with_strangers(np.concatenate([like[:, -width:], base.root.centres[:3]]))
    assert strangers_passing(base, nobody, stored, taught_centres(base.root, nobody)) == (3, 3, 3), (
        "of those that convert stored, the new class claims what looks like it"
    )


def test_a_class_of_nine_groups_is_not_learnt_yet(drawn: list[Label], tmp_path: Path) -> None:
    founder = drawn[0].founder
    few = [one._replace(founder=founder) if number < 4 else one for number, one in enumerate(drawn)]
    with pytest.raises(LearnError, match="drawings has 9, and is learnt from 10 on"):
        _learn(SHIPPED_MODEL, few, [], tmp_path)


def test_labels_whose_photos_are_gone_are_learnt_from_the_cache(drawn: list[Label], tmp_path: Path) -> None:
    one = _learn(SHIPPED_MODEL, drawn, [], tmp_path)
    for label in drawn:
        assert label.path is not None
        label.path.unlink()
    assert _learn(SHIPPED_MODEL, drawn, [], tmp_path).data == one.data
    with pytest.raises(LearnError, match="can be read any more"):
        _learn(SHIPPED_MODEL, drawn, [], tmp_path / "elsewhere")


def test_without_its_memory_a_model_learns_no_new_class_from_that_class_alone(
    drawn: list[Label], draw: Draw, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.onnx"
    alone.write_bytes(SHIPPED_MODEL.read_bytes())
    with pytest.raises(
        LearnError, match=r"100 filed photos of other kinds, and there are 1\. Copy alone\.memory beside"
    ):
        _learn(alone, drawn, [_filed(draw(OTHER_KIND, 0))], tmp_path)
    known = [one._replace(said="glacier") for one in drawn]
    result = _learn(alone, known, [], tmp_path)
    assert result.judged.pull >= PULL_BARE
    assert any("no memory beside the model: it changes less" in each for each in lines(result))


def test_a_file_that_changed_since_teaches_nothing(drawn: list[Label], draw: Draw, tmp_path: Path) -> None:
    changed = drawn[0].path
    assert changed is not None
    changed.write_bytes(draw(OTHER_KIND, 50).read_bytes())
    result = _learn(SHIPPED_MODEL, drawn, [], tmp_path)
    assert result.gone == 1
    assert len(result.said.taught) == 11


def test_nothing_to_learn_is_said() -> None:
    with pytest.raises(LearnError, match="Nobody has said anything yet"):
        _learn(SHIPPED_MODEL, [], [], Path("/nonexistent"))


def test_a_line_that_is_no_label_is_named(tmp_path: Path, draw: Draw) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(line(draw(KIND, 0), "sea") + "\n" + json.dumps({"sha256": "xx", "said": "sea"}) + "\n")
    with pytest.raises(LearnError, match=r"Line 2 of .*labels\.jsonl is no label"):
        read_labels(file)
    file.write_text(line(draw(KIND, 0), "../etc") + "\n")
    with pytest.raises(LearnError, match="cannot be a class"):
        read_labels(file)


def test_of_too_many_labels_each_class_keeps_its_share_and_a_small_one_all() -> None:
    sizes = {"sea": 5_000, "street": 900, "forest": 12, "glacier": 700}
    labels = [
        Label(f"{number:064x}", said, None, "", False, False, "")
        for said, size in sizes.items()
        for number in range(size)
    ]
    kept = spread(labels, 1_000)
    assert Counter(one.said for one in kept) == {"sea": 329, "street": 329, "forest": 12, "glacier": 329}
    assert {one.sha256 for one in kept if one.said == "sea"} == {one.sha256 for one in labels[:329]}
    assert spread(labels, len(labels)) == labels


def test_the_command_learns_without_loading_keras(draw: Draw, tmp_path: Path, root: Path) -> None:
    (tmp_path / "labels.jsonl").write_text("\n".join(line(draw(KIND, seed), "drawings") for seed in range(10)))
    (tmp_path / "site").mkdir()
    blocked = "import sys\nfor name in ('keras', 'tensorflow', 'tf2onnx'):\n    sys.modules[name] = None\n"
    (tmp_path / "site/sitecustomize.py").write_text(blocked)
    output = tmp_path / "new.onnx"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "phototriage", "learn", "--labels", str(tmp_path / "labels.jsonl")),
            *("--base", str(SHIPPED_MODEL), "--output", str(output), "--json"),
        ],
        env={"PYTHONPATH": f"{tmp_path / 'site'}:{root}", "XDG_CACHE_HOME": str(tmp_path), "PATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] in ("open", "shown to help")
    assert open_model(output, "cpu").contract.labels[-1] == "drawings"


def test_a_folder_of_class_folders_becomes_a_model_of_those_classes_alone(draw: Draw, tmp_path: Path) -> None:
    root = tmp_path / "albums"
    for kind in (KIND, OTHER_KIND, "forest"):
        (root / kind).mkdir(parents=True)
        for seed in range(6):
            draw(kind, seed).rename(root / kind / f"{seed}.jpg")
    result = learn_fresh(SHIPPED_MODEL, read_labels(root), lambda _, __: None, threads=2, cache=tmp_path / "cache")
    again = learn_fresh(SHIPPED_MODEL, read_labels(root), lambda _, __: None, threads=2, cache=tmp_path / "cache")
    assert result.data == again.data
    new, shipped = open_model(result.data, "cpu"), open_model(SHIPPED_MODEL, "cpu")
    assert new.contract.labels == ("forest", OTHER_KIND, KIND)
    assert len(result.data) < 0.8 * SHIPPED_MODEL.stat().st_size
    pictures = np.stack([to_input(draw(kind, 30), new.contract.geometry) for kind in new.contract.labels])
    answers, before = new.answer(pictures), shipped.answer(pictures)
    assert answers.probabilities.argmax(axis=1).tolist() == [0, 1, 2]
    assert answers.embedding is not None
    assert before.embedding is not None
    assert np.abs(answers.embedding - before.embedding).max() < 1e-6


def test_one_photo_in_two_class_folders_is_named(draw: Draw, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "albums" / name).mkdir(parents=True)
        (tmp_path / "albums" / name / "a.jpg").write_bytes(draw(KIND, 1).read_bytes())
    with pytest.raises(LearnError, match="lies in cat too"):
        read_labels(tmp_path / "albums")


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("gone/mine.onnx", "does not exist. Create it first"),
        ("mine.txt", "does not end in .onnx"),
        ("albums", "is a folder. Pass a file in it"),
    ],
)
def test_an_output_that_cannot_be_written_is_said_before_any_photo_is_read(
    tmp_path: Path, output: str, says: str
) -> None:
    (tmp_path / "albums").mkdir()
    for base in ((), ("--base", SHIPPED_MODEL)):
        done = ask("learn", "--labels", tmp_path / "none", *base, "--output", tmp_path / output)
        assert done.exit_code == 1
        assert says in done.stderr


def test_a_file_that_cannot_be_written_at_the_end_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LearnError, match=r"cannot be written .*Free space or choose another folder"):
        publish({tmp_path / "gone" / "mine.onnx": b"model"})

"""Photos that people labelled join a dataset, each where it lies, on the side of its label; what is wrong is said."""

import io
import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from common.errors import PhototriageError
from contract.labels import Side
from tests.daemon.house import House, ask
from tests.training.test_training_cli import QUICK, run
from training.commands.inbox_labels import labels_of_inbox
from training.commands.train import train
from training.dataset.prepare import PreparedData, prepare
from training.dataset.samples import Samples
from training.errors import DatasetError, TrainingError
from training.on_features.sides import NEVER_LEARNT, Sides, sides_of
from training.progress import Reporter
from training.recipe.recipe import Input, Recipe
from training.resume.checkpoint import CheckpointHeader
from training.resume.same_training import photos_fingerprint
from training.resume.unfinished import check_photos
from training.run import CHECKPOINT

Make = Callable[..., Path]
MakePhotos = Callable[..., list[Path]]
RECIPE = Recipe(weights="none", input=Input(size_px=32))
FEW = 1_000
"""Photos below which none is held out, as on the default way."""


def line(path: Path, said: str, side: Side = Side.LEARN, **more: Any) -> str:
    """A label as `labels export` writes it."""
    digest = sha256(path.read_bytes()).hexdigest()
    return json.dumps({"sha256": digest, "said": said, "path": str(path), "founder": digest, "side": side, **more})


def write(file: Path, *lines: str) -> Path:
    file.write_text("".join(f"{one}\n" for one in lines))
    return file


def splits(data: PreparedData) -> dict[Path, tuple[str, str]]:
    """Class and split of each photo."""
    return {photo.path: (data.dataset.labels[photo.label], photo.split) for photo in data.samples.photos}


def test_labelled_photos_teach_or_are_held_out_where_they_lie_and_the_others_are_counted(
    tmp_path: Path, make_dataset: Make, make_photos: MakePhotos, reporter: Reporter, story: io.StringIO
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "red"), count=10)
    said = make_photos(tmp_path / "sorted" / "red", "red", 7, seed=1)
    new = make_photos(tmp_path / "sorted" / "green", "green", 10, seed=2)
    few = make_photos(tmp_path / "sorted" / "drawings", "drawings", 2, seed=3)
    (gone, edited, damaged, stranger) = make_photos(tmp_path / "sorted" / "blue", "blue", 4, seed=4)
    damaged.write_bytes(damaged.read_bytes()[:300])
    lines = [line(path, "red", Side.HELD_OUT if path in said[:2] else Side.LEARN) for path in said[:6]]
    lines += [line(said[6], "red", Side.NEITHER), line(stranger, "_other"), line(damaged, "blue")]
    lines += [line(path, "green", Side.HELD_OUT if path == new[0] else Side.LEARN) for path in new]
    lines += [line(path, "drawings") for path in few] + [line(gone, "blue"), line(edited, "blue")]
    gone.unlink()
    edited.write_bytes(edited.read_bytes() + b"\0")
    before = sorted(tmp_path.rglob("*.jpg"))
    file = write(tmp_path / "labels.jsonl", *lines)
    data = prepare(root, None, RECIPE, reporter, labels=file)
    found = splits(data)
    assert sorted(tmp_path.rglob("*.jpg")) == before
    assert data.dataset.labels == ("blue", "green", "red")
    assert [found[path] for path in said[:6]] == [("red", "val")] * 2 + [("red", "train")] * 4
    assert [found[path] for path in new] == [("green", "val")] + [("green", "train")] * 9
    assert not found.keys() & {said[6], stranger, damaged, gone, edited, *few}
    own = [(label, split) for path, (label, split) in found.items() if path.is_relative_to(root)]
    assert sorted(own) == sorted([("blue", "train"), ("red", "train")] * 8 + [("blue", "val"), ("red", "val")] * 2)
    assert {data.samples.photos[place].path for place in np.flatnonzero(data.held_out)} == {*said[:2], new[0]}
    told = story.getvalue()
    assert "16 of 23 labels of labels.jsonl take part. New classes: green." in told
    for words in (
        "1 near to photos of both sides",
        "1 of none of the classes",
        "1 not where they lay",
        "1 edited since",
        "1 of damaged or unknown files",
        "2 of drawings, a new class with 2 of 10 different photos",
    ):
        assert words in told
    assert data.data_hash() != prepare(root, None, RECIPE, reporter).data_hash()


def test_where_photos_are_few_what_is_held_out_neither_teaches_nor_judges_alone(
    tmp_path: Path, make_dataset: Make, make_photos: MakePhotos, reporter: Reporter, story: io.StringIO
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "red"), count=5)
    said = make_photos(tmp_path / "red", "red", 3, seed=1)
    file = write(tmp_path / "l.jsonl", line(said[0], "red", Side.HELD_OUT), *(line(path, "red") for path in said[1:]))
    seen: list[str] = []

    def describe(samples: Samples) -> NDArray[np.float32]:
        seen.extend(photo.split for photo in samples.photos)
        return np.random.default_rng(0).normal(size=(len(samples.photos), 64)).astype(np.float32)

    found = splits(prepare(root, None, RECIPE, reporter, FEW, describe, labels=file))
    assert "val" not in seen, "the time that a training takes is told by these"
    assert said[0] not in found
    assert {split for _, split in found.values()} == {"train"}
    assert len(found) == 12
    assert "1 labelled photos are held out" in story.getvalue()


def test_what_a_person_said_goes_before_the_folder_and_a_copy_of_a_held_out_photo_never_teaches(
    tmp_path: Path, make_dataset: Make, make_photos: MakePhotos, reporter: Reporter, story: io.StringIO
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "red"), count=10)
    (apart, held) = make_photos(tmp_path / "sorted", "red", 2, seed=1)
    in_wrong_folder = Path(shutil.copy(apart, root / "blue" / "copy.jpg"))
    blue, red = root / "blue" / "000.jpg", root / "red" / "000.jpg"
    tested = make_photos(tmp_path / "test" / "red", "red", 2, seed=5)
    near = root / "red" / "saved again.jpg"
    near.write_bytes(held.read_bytes() + b"\0")
    lines = [line(apart, "red"), line(held, "red", Side.HELD_OUT), line(blue, "blue", Side.HELD_OUT)]
    lines += [line(red, "_other"), line(tested[0], "red", Side.LEARN), line(tested[1], "red", Side.NEITHER)]
    file = write(tmp_path / "l.jsonl", *lines)
    found = splits(prepare(root, tmp_path / "test", RECIPE, reporter, labels=file))
    assert apart not in found  # its copy takes part
    assert found[in_wrong_folder] == ("red", "train")
    assert (found[held], found[blue]) == (("red", "val"), ("blue", "val"))
    assert near not in found
    assert red not in found
    assert [found[path] for path in tested] == [("red", "test")] * 2
    assert "1 training photos are left out, because validation or test photos show the same" in story.getvalue()
    assert "1 photos of the dataset are of another class by their labels" in story.getvalue()


def test_a_photo_is_learnt_as_it_was_labelled_also_as_of_no_class_where_the_dataset_has_a_folder_for_these(
    tmp_path: Path, make_dataset: Make, make_photos: MakePhotos, reporter: Reporter
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "red", "_other"), count=4)
    (stranger,) = make_photos(tmp_path / "sorted", "green", 1)
    hashes = []
    for name in ("blue", "red"):  # the class is not in the photo's path
        file = write(tmp_path / "l.jsonl", line(stranger, name))
        hashes.append(prepare(root, None, RECIPE, reporter, labels=file).data_hash())
    assert hashes[0] != hashes[1]
    file = write(tmp_path / "l.jsonl", line(stranger, "_other"))
    assert splits(prepare(root, None, RECIPE, reporter, labels=file))[stranger] == ("_other", "train")


def test_labels_alone_are_a_dataset_of_their_classes(
    tmp_path: Path, make_photos: MakePhotos, reporter: Reporter
) -> None:
    said = {name: make_photos(tmp_path / "sorted" / name, name, 12) for name in ("blue", "red")}
    lines = [
        line(path, name, Side.HELD_OUT if path in paths[:2] else Side.LEARN)
        for name, paths in said.items()
        for path in paths
    ]
    (tmp_path / "out").mkdir()
    file = write(tmp_path / "out" / "l.jsonl", *lines)
    data = prepare(None, None, RECIPE, reporter, labels=file)
    assert data.dataset.labels == ("blue", "red")
    taught = {path: (name, "train") for name, paths in said.items() for path in paths[2:]}
    assert splits(data) == taught | {path: (name, "val") for name, paths in said.items() for path in paths[:2]}
    assert splits(prepare(None, None, RECIPE, reporter, FEW, labels=file)) == taught
    alike = [line(path, "blue", founder="0" * 64) for path in said["blue"]]
    file = write(tmp_path / "few.jsonl", *lines[12:], *alike)
    with pytest.raises(
        DatasetError, match=r"has 1 \(left out: 12 of blue, a new class with 1 of 10 different photos\)"
    ):
        prepare(None, None, RECIPE, reporter, labels=file)
    file = write(tmp_path / "all.jsonl", *(one for one in lines if "held out" not in one))
    with pytest.raises(DatasetError, match="No photo is left to validate"):
        prepare(None, None, RECIPE, reporter, labels=file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a,b\n", r"labels\.jsonl is no file of JSON lines"),
        (b"[1]\n", r"Line 1 of .* is no JSON object"),
        (b'{"said": "red"}\n', r"Line 1 of .* is no label \(it has no 'sha256'\)"),
        (b'\n{"sha256": "00", "said": "red"}\n', r"Line 2 of .* is no label \(`sha256` is no SHA-256\)"),
        (b'{"sha256": "%s", "said": "a/b"}\n' % (b"0" * 64), "cannot be a class"),
        (b'{"sha256": "%s", "said": "red", "path": 5}\n' % (b"0" * 64), "is no label"),
        (b"", "holds no labels. Correct photos first"),
        (b'{"sha256": "%s", "said": "red", "path": null}\n' % (b"0" * 64), "No photo that .* labels can take part"),
    ],
)
def test_a_wrong_file_of_labels_is_refused_with_one_sentence(
    tmp_path: Path, make_dataset: Make, reporter: Reporter, text: bytes, said: str
) -> None:
    root, file = make_dataset(tmp_path / "photos", ("blue", "red"), count=2), tmp_path / "labels.jsonl"
    file.write_bytes(text)
    with pytest.raises(DatasetError, match=said):
        prepare(root, None, RECIPE, reporter, labels=file)
    for wrong in (tmp_path, tmp_path / "nowhere.jsonl"):
        with pytest.raises(DatasetError, match="cannot be read"):
            prepare(root, None, RECIPE, reporter, labels=wrong)


@pytest.mark.usefixtures("small_backbone")
def test_a_run_names_its_labels_and_another_file_of_labels_does_not_resume_it(
    tmp_path: Path, make_dataset: Make, make_photos: MakePhotos, reporter: Reporter
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "red"), count=4)
    said = make_photos(tmp_path / "red", "red", 3, seed=1)
    lines = [line(said[0], "red", Side.HELD_OUT), line(said[1], "red")]
    file, output = write(tmp_path / "l.jsonl", *lines), tmp_path / "run"
    done = run(train, root, "--labels", file, "--output", output, *QUICK)
    assert done.exit_code == 0, done.output
    digest = sha256(file.read_bytes()).hexdigest()
    manifest = json.loads((output / "run.json").read_text())
    facts = {"file": "l.jsonl", "sha256": digest, "photos": 2, "held_out": 1, "added": []}
    assert manifest["dataset"]["labels"] == facts
    assert digest in (output / "report.html").read_text()
    then = photos_fingerprint(prepare(root, None, RECIPE, reporter, labels=file))
    header = CheckpointHeader({}, then)
    write(file, *lines, line(said[2], "blue", Side.NEITHER))
    with pytest.raises(TrainingError, match=r"on other photos \(what people said of photos: other labels there"):
        check_photos(output, header, photos_fingerprint(prepare(root, None, RECIPE, reporter, labels=file)))
    assert run(train, root, "--labels", file, "--from-inbox", "x", "--output", output).exit_code == 2


def test_labels_of_an_inbox_are_exported_beside_the_output_and_kept_while_a_run_is_unfinished(tmp_path: Path) -> None:
    house, output = House(tmp_path / "house"), tmp_path / "runs" / "mine"
    photo = house.file("a.jpg")
    done = ask("labels", "add", "--inbox", house.inbox, "--class", "street", "--new", photo)
    assert done.exit_code == 0, done.output
    with labels_of_inbox(str(house.inbox), output, restart=False) as file:
        (label,) = map(json.loads, file.read_text().splitlines())
        assert (label["said"], label["path"]) == ("street", str(photo))
        output.mkdir()
        (output / CHECKPOINT).write_bytes(b"a state")
    assert ask("labels", "take-back", "--inbox", house.inbox, photo).exit_code == 0
    with labels_of_inbox(str(house.inbox), output, restart=False) as again:
        assert len(again.read_text().splitlines()) == 1  # as the run began
    with labels_of_inbox(str(house.inbox), output, restart=True) as anew:
        assert anew.read_text() == ""
        (output / CHECKPOINT).unlink()
    assert not file.exists()
    with pytest.raises(PhototriageError, match="no ledger of a service no-such-service"):  # noqa: SIM117
        with labels_of_inbox("no-such-service", output, restart=False):
            pass


def test_no_head_learns_from_what_is_held_out_or_from_its_near_copies() -> None:
    labels, groups = np.arange(3000) % 3, np.arange(3000)
    train, val = np.arange(2400), np.arange(2400, 3000)
    held_out = val[:30]
    sides = Sides(labels, groups, train, val, val[:0], 3, held_out)
    never = sides.never_learnt(seed=0)
    assert set(held_out) <= set(never)
    assert 370 < len(never) <= 375
    few = Sides(labels, groups, train[:100], val, val[:0], 3, held_out)
    assert few.never_learnt(seed=0).tolist() == held_out.tolist()


def test_more_held_out_photos_than_a_memory_takes_judge_nothing(
    tmp_path: Path, make_dataset: Make, make_photos: MakePhotos, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_dataset(tmp_path / "photos", ("blue", "red"), count=10)
    said = make_photos(tmp_path / "red", "red", 5, seed=1)
    file = write(tmp_path / "l.jsonl", *(line(path, "red", Side.HELD_OUT) for path in said))
    data = prepare(root, None, RECIPE, reporter, labels=file)
    assert NEVER_LEARNT == 1000
    monkeypatch.setattr("training.on_features.sides.NEVER_LEARNT", 3)
    sides = sides_of(data)
    assert len(sides.held_out) == 3
    assert len(sides.val) == 4 + 3
    assert set(sides.held_out) <= set(sides.val)

"""Moving broken files aside: nothing is deleted, nothing overwritten, and the way back brings back every byte."""

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from common.errors import PhototriageError
from training.check.check import DataCheckResult, check_dataset
from training.check.quarantine import MOVES_LIST, UNDO_SCRIPT
from training.progress import Reporter
from training.second_name import link_or_copy


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two classes with two good photos each, and one broken file of every sort that is to be moved."""
    root = tmp_path / "photos"
    for number, label in enumerate(("cat", "dog", "cat", "dog")):
        (root / label / "inner").mkdir(parents=True, exist_ok=True)
        Image.effect_mandelbrot((90, 60), (-2 + number / 3, -1, 1, 1), 60).save(root / label / f"{number}.png")
    (root / "cat" / "text.jpg").write_text("no photo")
    (root / "cat" / "inner" / "empty.jpg").touch()
    Image.new("RGB", (64, 64), "white").save(root / "dog" / "blank.png")
    return root


def tree(root: Path) -> dict[str, bytes]:
    """Hash of every file below a folder, by its path."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).digest() for path in files}


def move(dataset: Path, aside: Path, reporter: Reporter) -> DataCheckResult:
    return check_dataset(dataset, reporter, aside=aside)


def test_broken_files_keep_their_path_and_good_ones_stay(dataset: Path, tmp_path: Path, reporter: Reporter) -> None:
    before = tree(dataset)
    broken = {"cat/text.jpg", "cat/inner/empty.jpg", "dog/blank.png"}
    checked = move(dataset, tmp_path / "aside", reporter)
    assert tree(dataset) == {name: content for name, content in before.items() if name not in broken}
    moved = {
        name: content for name, content in tree(tmp_path / "aside").items() if name not in (MOVES_LIST, UNDO_SCRIPT)
    }
    assert moved == {name: before[name] for name in broken}
    assert {str(item.source.relative_to(dataset)): item.why.split(":")[0] for item in checked.moved} == {
        "cat/text.jpg": "unreadable",
        "cat/inner/empty.jpg": "unreadable",
        "dog/blank.png": "blank",
    }


def test_the_way_back_restores_every_byte_whatever_the_names(dataset: Path, tmp_path: Path, reporter: Reporter) -> None:
    for name in (
        b"quote ' \" $HOME `id`.jpg",
        b"line\nbreak.jpg",
        b"-rf.jpg",
        b"bytes \xff\xfe.jpg",
        "größe.jpg".encode(),
    ):
        (dataset / "cat" / os.fsdecode(name)).write_bytes(b"broken " + name)
    before = tree(dataset)
    aside = tmp_path / "a side"
    assert len(move(dataset, aside, reporter).moved) == 8
    subprocess.run(["/bin/sh", aside / UNDO_SCRIPT], check=True, timeout=30)
    assert tree(dataset) == before
    assert set(tree(aside)) == {MOVES_LIST, UNDO_SCRIPT}


def test_the_list_names_each_file_exactly_with_its_reason(dataset: Path, tmp_path: Path, reporter: Reporter) -> None:
    (dataset / "cat" / os.fsdecode(b"\xff.jpg")).write_text("no photo")
    move(dataset, tmp_path / "aside", reporter)
    rows = [json.loads(line) for line in (tmp_path / "aside" / MOVES_LIST).read_bytes().splitlines()]
    assert str(dataset / "cat" / "\udcff.jpg") in {row["from"] for row in rows}
    assert all(Path(row["to"]).is_file() and not Path(row["from"]).exists() and row["why"] for row in rows)


def test_nothing_is_overwritten_in_the_quarantine(dataset: Path, tmp_path: Path, reporter: Reporter) -> None:
    older = tmp_path / "aside" / "cat" / "text.jpg"
    older.parent.mkdir(parents=True)
    older.write_text("older")
    (older.parent / "text-2.jpg").symlink_to("nowhere")
    move(dataset, tmp_path / "aside", reporter)
    assert older.read_text() == "older"
    assert (older.parent / "text-2.jpg").is_symlink()
    assert (older.parent / "text-3.jpg").read_text() == "no photo"


def test_a_name_that_is_taken_and_as_long_as_names_may_be_still_finds_a_place(
    dataset: Path, tmp_path: Path, reporter: Reporter
) -> None:
    long = f"{'ä' * 125}.jpg"
    for folder in (dataset, tmp_path / "aside"):
        (folder / "cat").mkdir(parents=True, exist_ok=True)
        (folder / "cat" / long).write_text(folder.name)
    move(dataset, tmp_path / "aside", reporter)
    assert (tmp_path / "aside" / "cat" / long).read_text() == "aside"
    assert "photos" in [path.read_text() for path in (tmp_path / "aside" / "cat").glob("ä*")]


def test_the_way_back_overwrites_nothing(dataset: Path, tmp_path: Path, reporter: Reporter) -> None:
    move(dataset, tmp_path / "aside", reporter)
    (dataset / "cat" / "text.jpg").write_text("a new one")
    subprocess.run(["/bin/sh", tmp_path / "aside" / UNDO_SCRIPT], timeout=30)
    assert (dataset / "cat" / "text.jpg").read_text() == "a new one"
    assert (tmp_path / "aside" / "cat" / "text.jpg").read_text() == "no photo"


def test_what_is_no_fault_of_the_file_stays(dataset: Path, tmp_path: Path, reporter: Reporter) -> None:
    (dataset / "dog" / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(dataset / "dog" / "pipe.jpg")
    checked = move(dataset, tmp_path / "aside", reporter)
    assert len(checked.moved) == 3
    assert (dataset / "dog" / "gone.jpg").is_symlink()
    assert (dataset / "dog" / "pipe.jpg").is_fifo()


def test_a_file_that_changed_since_it_was_looked_at_stays(dataset: Path, tmp_path: Path, reporter: Reporter) -> None:
    from training.check.findings import find_problems
    from training.check.kinds import Kind
    from training.check.quarantine import quarantine
    from training.check.report import Report
    from training.check.scan import scan_photos
    from training.dataset.layout import find_dataset

    found = find_dataset(dataset)
    with scan_photos([photo.path for photo in found.photos]) as scan:
        findings, _ = find_problems(found, scan)
    (dataset / "cat" / "text.jpg").write_text("being mended")
    moved = quarantine(Report(found, tuple(findings), tuple(Kind)), scan.digests, tmp_path / "aside")
    assert {item.source.name for item in moved} == {"empty.jpg", "blank.png"}
    assert (dataset / "cat" / "text.jpg").read_text() == "being mended"


def test_a_quarantine_without_anything_broken_is_not_made(dataset: Path, tmp_path: Path, reporter: Reporter) -> None:
    move(dataset, tmp_path / "first", reporter)
    move(dataset, tmp_path / "second", reporter)
    assert not (tmp_path / "second").exists()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system to move to")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_a_move_to_another_file_system_loses_and_overwrites_nothing(
    dataset: Path, elsewhere: Path, reporter: Reporter
) -> None:
    before = tree(dataset)
    (elsewhere / "dog").mkdir()
    (elsewhere / "dog" / "blank.png").write_text("older")
    move(dataset, elsewhere, reporter)
    after = tree(elsewhere)
    assert (elsewhere / "dog" / "blank.png").read_text() == "older"
    assert after["dog/blank-2.png"] == before["dog/blank.png"]
    assert after["cat/text.jpg"] == before["cat/text.jpg"]
    assert not (dataset / "dog" / "blank.png").exists()


@pytest.mark.parametrize("place", ["photos/aside", "photos", ".", "photos/cat/0.png"])
def test_a_quarantine_inside_or_around_the_dataset_or_a_file_is_refused(
    dataset: Path, tmp_path: Path, reporter: Reporter, place: str
) -> None:
    before = tree(dataset)
    with pytest.raises(PhototriageError, match="quarantine"):
        move(dataset, tmp_path / place, reporter)
    assert tree(dataset) == before


def test_a_name_that_is_taken_at_the_last_moment_is_not_overwritten(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("new")
    target.write_text("older")
    with pytest.raises(FileExistsError):
        link_or_copy(source, target)
    assert (source.read_text(), target.read_text()) == ("new", "older")


def test_nor_on_another_file_system(tmp_path: Path, elsewhere: Path) -> None:
    source, target = tmp_path / "source", elsewhere / "target"
    source.write_text("new")
    target.write_text("older")
    with pytest.raises(FileExistsError):
        link_or_copy(source, target)
    assert (source.read_text(), target.read_text()) == ("new", "older")

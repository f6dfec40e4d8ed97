"""A plan names each photo of its roots once, in parts; a listing that was cut off goes on; nothing is half-written."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phototriage import cli

pytest.importorskip("pyarrow", reason="pyarrow comes with the extras bulk and test")

from bulk.errors import PlanError
from bulk.manifest.make import make_plan
from bulk.manifest.parts import open_plan
from bulk.manifest.schema import SCHEMA
from bulk.manifest.writer import Progress
from bulk.storage import local_path
from daemon.files.locks import FolderLock


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, ["bulk", "plan", *map(str, words)])


def plan(*words: object) -> str:
    done = call(*words)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*words: object) -> str:
    done = call(*words)
    assert done.exit_code == 1, done.output
    return done.stderr


def photo(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def rows(folder: Path) -> list[dict[str, object]]:
    made = open_plan(folder)
    return [row for name in made.parts() for row in made.read(name).to_pylist()]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """40 photos in folders inside of folders, whose names sort otherwise with a slash behind them than without."""
    for folder in ("", "a", "a-b", "a/c", "a.jpg"):
        for number in range(8):
            photo(tmp_path / "in" / folder / f"b{number}.jpg")
    return tmp_path / "in"


def test_a_plan_names_each_photo_once_in_parts_of_the_size_asked_for(tmp_path: Path) -> None:
    files = [photo(tmp_path / "in" / folder / f"{n}.JPG") for folder in ("", "a", "b/c") for n in range(3)]
    photo(tmp_path / "in" / "notes.txt")
    said = json.loads(plan(tmp_path / "in", "--output", tmp_path / "plan", "--rows-per-part", 4, "--json"))
    assert (said["rows"], said["parts"], said["unread"]) == (9, 3, 0)
    made = open_plan(tmp_path / "plan")
    parts = [made.read(name) for name in made.parts()]
    assert [part.num_rows for part in parts] == [4, 4, 1]
    assert made.is_complete
    assert made.count() == 9
    assert all(part.schema.equals(SCHEMA) for part in parts)
    found = rows(tmp_path / "plan")
    assert sorted(str(row["path"]) for row in found) == sorted(map(str, files))
    assert {row["relpath"] for row in found} == {"", "a", "b/c"}
    assert {(row["size"], row["stamp"]) for row in found} == {(1, str(file.stat().st_mtime_ns)) for file in files}


def test_an_id_is_that_of_a_path_with_a_content_and_changes_with_either(tmp_path: Path) -> None:
    file, other = photo(tmp_path / "in" / "1.jpg"), photo(tmp_path / "in" / "2.jpg")
    os.utime(other, ns=(0, file.stat().st_mtime_ns))
    plan(tmp_path / "in", "--output", tmp_path / "first")
    plan(tmp_path / "in", "--output", tmp_path / "again")
    file.write_bytes(b"more")
    plan(tmp_path / "in", "--output", tmp_path / "changed")
    first, again, changed = ([row["id"] for row in rows(tmp_path / name)] for name in ("first", "again", "changed"))
    assert first == again
    assert first[0] != first[1] == changed[1]
    assert changed[0] != first[0]


@pytest.mark.parametrize("parts", range(1, 7))
def test_a_listing_that_was_cut_off_goes_on_and_names_each_photo_once(tree: Path, tmp_path: Path, parts: int) -> None:
    def cut_off(progress: Progress) -> None:
        if progress.parts == parts:
            raise KeyboardInterrupt

    plan(tree, "--output", tmp_path / "whole", "--rows-per-part", 6)
    output = tmp_path / "plan"
    with pytest.raises(KeyboardInterrupt):
        make_plan([str(tree)], output, 6, cut_off)
    cut = open_plan(output)
    assert (cut.is_complete, cut.count(), len(cut.parts())) == (False, 6 * parts, parts)
    before = {name: (output / "parts" / name).stat().st_mtime_ns for name in cut.parts()}
    assert f"40 photos in 7 parts of {output}, {6 * parts} of them before" in plan(
        tree, "--output", output, "--rows-per-part", 6
    )
    assert rows(output) == rows(tmp_path / "whole")
    assert {name: (output / "parts" / name).stat().st_mtime_ns for name in before} == before
    assert open_plan(output).identity == cut.identity


def test_a_plan_that_is_killed_goes_on_by_the_same_command(tree: Path, tmp_path: Path, root: Path) -> None:
    output = tmp_path / "plan"
    code = (
        "import os, pathlib, signal, sys\n"
        "from bulk.manifest.make import make_plan\n"
        "def kill(progress): progress.parts == 3 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "make_plan([sys.argv[1]], pathlib.Path(sys.argv[2]), 5, kill)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tree, output], cwd=root, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = output / "parts" / ".0123456789abcdef.part"
    left.write_bytes(b"half of a part")
    plan(tree, "--output", output, "--rows-per-part", 5)
    plan(tree, "--output", tmp_path / "whole", "--rows-per-part", 5)
    assert rows(output) == rows(tmp_path / "whole")
    assert not left.exists()


def test_a_full_disk_is_a_sentence_and_leaves_nothing_half_written(tree: Path, tmp_path: Path, root: Path) -> None:
    output = tmp_path / "plan"
    code = (
        "import resource, sys, phototriage\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "sys.argv[0] = 'phototriage'\n"
        "phototriage.main()\n"
    )
    words = ["bulk", "plan", str(tree), "--output", str(output), "--rows-per-part", "30"]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=root, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"phototriage: The plan {output} cannot be written (File too large).")
    assert "it goes on where it was" in done.stderr
    assert [path.name for path in sorted(output.rglob("*"))] == ["parts", "plan.json"]
    assert "40 photos in 2 parts" in plan(tree, "--output", output, "--rows-per-part", 30)


def test_parts_are_published_while_the_listing_goes_on(tree: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    output = tmp_path / "plan"
    make_plan(
        [str(tree)], output, 16, lambda progress: seen.append((progress.rows, len(list((output / "parts").iterdir()))))
    )
    assert seen == [(0, 0), (16, 1), (32, 2), (40, 3)]


def test_hostile_names_come_back_as_the_files_that_they_name(tmp_path: Path) -> None:
    names = [b"caf\xe9.jpg", "café.jpg".encode(), b"new\nline.jpg", b"%E9.jpg", b"a b#?.jpg", b"\x1b[2J.jpg"]
    base = os.fsencode(tmp_path / "in")
    for folder in (b"plain", b"caf\xe9", b"\n"):
        for name in names:
            photo(Path(os.fsdecode(base + b"/" + folder + b"/" + name)), folder + name)
    plan(tmp_path / "in", "--output", tmp_path / "plan")
    found = rows(tmp_path / "plan")
    paths = [local_path(str(row["path"])) for row in found]
    contents = [path.read_bytes() for path in paths if path is not None]
    assert sorted(contents) == sorted(folder + name for folder in (b"plain", b"caf\xe9", b"\n") for name in names)
    assert {str(row["path"]).startswith("file://") for row in found if row["relpath"] == "plain"} == {True, False}
    assert {row["relpath"] for row in found if str(row["path"]).startswith("file://")} == {"plain", "caf%E9", "%0A"}


def test_what_the_daemon_leaves_alone_because_of_its_name_is_not_listed(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    taken = [photo(inside / "1.jpg"), photo(inside / "deep" / "2.png")]
    for left in (".hidden.jpg", "~1.jpg", "raw.nef", "@eaDir/1.jpg", ".trash/1.jpg", "_failed/1.jpg", "_review/1.jpg"):
        photo(inside / left)
    for closed in (".nomedia", ".phototriage"):
        photo(inside / f"with{closed}" / "deeper" / "1.jpg")
        photo(inside / f"with{closed}" / closed)
    photo(inside / ".nomedia")
    (inside / "link.jpg").symlink_to(taken[0])
    (inside / "folder").symlink_to(inside / "deep")
    plan(inside, "--output", tmp_path / "plan")
    assert [row["path"] for row in rows(tmp_path / "plan")] == sorted(map(str, taken))


def test_a_folder_that_cannot_be_read_is_counted_and_said_and_the_others_are_listed(tmp_path: Path) -> None:
    inside, name = tmp_path / "in", "d" * 250
    photo(inside / "1.jpg")
    here = os.open(inside, os.O_RDONLY)
    for _ in range(18):  # a path of more than 4,096 bytes cannot be opened, not even by root
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    done = call(inside, "--output", tmp_path / "plan", "--rows-per-part", 1, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"plan": str(tmp_path / "plan"), "rows": 1, "parts": 1, "unread": 1}
    assert done.stderr.startswith("1 not read, and left out: ")
    assert done.stderr.endswith("(File name too long)\n")
    again = call(inside, "--output", tmp_path / "plan", "--rows-per-part", 1, "--json")
    assert (again.stdout, again.stderr) == (done.stdout, done.stderr), "a complete plan says the same again"


def test_several_roots_are_listed_into_one_plan_and_a_root_in_another_is_refused(tree: Path, tmp_path: Path) -> None:
    roots = [tree / name for name in ("a-b", "a.jpg", "a")]
    plan(*roots, "--output", tmp_path / "plan")
    assert len(rows(tmp_path / "plan")) == 32
    said = refused(tree, tree / "a", "--output", tmp_path / "other")
    assert f"{tree}/a/ lies in {tree}/, so its photos would be listed twice" in said
    assert not (tmp_path / "other").exists()


def test_a_folder_that_holds_another_plan_is_refused(tree: Path, tmp_path: Path) -> None:
    plan(tree / "a", "--output", tmp_path / "plan")
    said = refused(tree, "--output", tmp_path / "plan")
    assert f"is a plan of {tree / 'a'}. Name the same to go on, or another --output" in said
    said = refused(tree / "a", "--output", tmp_path / "plan", "--rows-per-part", 7)
    assert "Pass --rows-per-part 1000 to go on" in said


def test_two_processes_do_not_make_one_plan(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "plan").mkdir()
    lock = FolderLock(tmp_path / "plan", "busy")
    try:
        assert "Another process is making" in refused(tree, "--output", tmp_path / "plan")
    finally:
        lock.close()


def test_a_root_that_cannot_be_listed_is_one_sentence(tmp_path: Path) -> None:
    for root, why in (
        (tmp_path / "nowhere", "does not exist"),
        (photo(tmp_path / "1.jpg"), "is no folder, and no table of photos"),
        ("nosuch://bucket", "cannot be read"),
        ("gs://bucket/photos", "needs gcsfs, which is not installed"),
    ):
        said = refused(root, "--output", tmp_path / "plan")
        assert said.startswith("phototriage: ")
        assert why in said
        assert said.count("\n") == 1


def test_no_plan_and_a_damaged_plan_are_told_apart(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="holds no plan"):
        open_plan(tmp_path)
    plan(tree, "--output", tmp_path / "plan")
    made = open_plan(tmp_path / "plan")
    (tmp_path / "plan" / "parts" / "part-000000.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(PlanError, match=r"part-000000\.parquet cannot be read"):
        made.read("part-000000.parquet")
    (tmp_path / "plan" / "plan.json").write_text('{"version": 2}')
    with pytest.raises(PlanError, match="a plan of version 2"):
        open_plan(tmp_path / "plan")

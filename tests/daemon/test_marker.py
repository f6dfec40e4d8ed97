"""What a kill left of a marker is taken away at the next start; what is another's, or may be, is not."""

import os
from pathlib import Path

import pytest

from daemon.files.marker import MARKER, STALE_S, mark, tidy
from tests.daemon.support import model_file, run, write

PART = f"{MARKER}.{'0a' * 16}.part"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def later(path: Path) -> float:
    """Return a time at which what is at the path is stale."""
    return path.lstat().st_mtime + STALE_S + 1


@pytest.mark.parametrize("rest", [b"", b'{"i', b'{"id": "0a0a', b'{"id": "0a0a", "what": "x"}'])
def test_a_part_of_a_marker_goes_once_it_is_stale(tmp_path: Path, rest: bytes) -> None:
    part = write(tmp_path / PART, rest)
    tidy(tmp_path, part.lstat().st_mtime + 1)
    assert names(tmp_path) == {PART}
    tidy(tmp_path, later(part))
    assert names(tmp_path) == set()


def test_a_link_that_was_made_to_try_links_goes_and_the_marker_stays(tmp_path: Path) -> None:
    mark(tmp_path, "inbox")
    (tmp_path / PART).symlink_to(tmp_path / MARKER)
    other = tmp_path / PART.replace("0a0a", "0b0b")
    os.link(tmp_path / MARKER, other)
    tidy(tmp_path, later(other))
    assert names(tmp_path) == {MARKER}


def test_what_is_not_ours_by_name_or_content_stays(tmp_path: Path) -> None:
    write(tmp_path / f"{MARKER}.notes.part", b"")
    write(tmp_path / PART, b"somebody's")
    write(tmp_path / PART.replace("0a0a", "0b0b"), b'{"id": "' + bytes(1000))
    (tmp_path / PART.replace("0a0a", "0c0c")).mkdir()
    (tmp_path / PART.replace("0a0a", "0d0d")).symlink_to("/etc/passwd")
    before = names(tmp_path)
    tidy(tmp_path, later(tmp_path / PART) + 1e6)
    assert names(tmp_path) == before
    tidy(tmp_path / "gone", 0.0)


def test_a_start_tidies_both_roots(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
        mark(tmp_path / name, name)
        (tmp_path / name / PART).symlink_to(MARKER)
        os.utime(tmp_path / name / PART, (1, 1), follow_symlinks=False)
    options = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    assert run("sort", *options).returncode == 0
    assert not any(PART in names(tmp_path / name) for name in ("in", "out"))

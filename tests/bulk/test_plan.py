"""A plan names each photo of its roots once, in parts."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from phototriage import cli

pytest.importorskip("pyarrow", reason="pyarrow comes with the extras bulk and test")

from bulk.manifest.parts import open_plan
from bulk.manifest.schema import SCHEMA


def plan(*words: object) -> str:
    done = CliRunner().invoke(cli, ["bulk", "plan", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.output


def photo(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_plan_names_each_photo_once_in_parts_of_the_size_asked_for(tmp_path: Path) -> None:
    files = [photo(tmp_path / "in" / folder / f"{n}.JPG") for folder in ("", "a", "b/c") for n in range(3)]
    photo(tmp_path / "in" / "notes.txt")
    said = json.loads(plan(tmp_path / "in", "--output", tmp_path / "plan", "--rows-per-part", 4, "--json"))
    assert (said["rows"], said["parts"]) == (9, 3)
    made = open_plan(tmp_path / "plan")
    parts = [made.read(name) for name in made.parts()]
    assert [part.num_rows for part in parts] == [4, 4, 1]
    assert all(part.schema.equals(SCHEMA) for part in parts)
    rows = [row for part in parts for row in part.to_pylist()]
    assert sorted(row["path"] for row in rows) == sorted(map(str, files))
    assert {row["relpath"] for row in rows} == {"", "a", "b/c"}
    assert len({row["id"] for row in rows}) == 9

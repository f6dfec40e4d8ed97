"""Nothing leaves the machine: the runtime inside would report to its maker, and first writes down an id for that."""

from pathlib import Path

import pytest

from tests.daemon.support import model_file, plain, run, write


def test_nothing_but_the_ledgers_folder_is_made_in_a_users_home(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")  # as in a user's shell
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.jpg", plain("red"))
    paths = ("--inbox", tmp_path / "in", "--output", tmp_path / "out")
    assert run("sort", *paths, "--model", model_file(tmp_path)).returncode == 0
    assert run("inspect", tmp_path / "colours.onnx").returncode == 0
    made = {path.relative_to(home).parts[:2] for path in home.rglob("*") if path.is_file()}
    assert made == {("state", "phototriage")}

"""Every command of docs/teach-it.md works as written, in the order in which it is read."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.drawing import KINDS, draw_scene
from tests.daemon.support import IMPATIENT
from tests.house.test_readme import commands

SHOWN = "tallbuilding-1628.jpg"
"""The photo that the page moves: the shipped model takes this building for a street."""


@pytest.fixture
def workspace(tmp_path: Path, root: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an inbox of photos of another camera, receipts among them, and the command."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for kind in ("buildings", "street", "forest", "mountain"):
        for photo in sorted((shared / "outdoor/test" / kind).iterdir())[:20]:
            shutil.copy(photo, inbox)
    shutil.copy(shared / "outdoor/test/buildings" / SHOWN, inbox)
    for number, photo in enumerate(sorted((shared / "foreign/receipts").iterdir())[:14]):
        shutil.copy(photo, inbox / f"receipt-{number}.jpg")
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(IMPATIENT)  # so that nobody waits 30 seconds between two looks
    command = tmp_path / "bin" / "phototriage"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{site}:{root}" exec "{sys.executable}" -m phototriage "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=os.pathsep)
    return tmp_path


def test_the_loop_works_as_the_page_tells_it(workspace: Path, root: Path) -> None:
    lines = [one.line for one in commands((root / "docs/teach-it.md").read_text(encoding="utf-8"))]
    assert len(lines) == 14
    for line in lines:
        answer_what_was_drawn(workspace)
        done = subprocess.run(["bash", "-c", line], cwd=workspace, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        if line.startswith("phototriage labels"):  # the second look
            subprocess.run(["bash", "-c", "phototriage labels"], cwd=workspace, check=True, capture_output=True)
        if line == "phototriage learn --yes":
            assert "receipts" in done.stdout
            draw_scene(next(iter(KINDS)), 1).save(workspace / "inbox" / "next.jpg")  # so that the new model files one
            again = "phototriage sort --inbox inbox --output sorted"
            subprocess.run(["bash", "-c", again], cwd=workspace, check=True, capture_output=True)
    assert (workspace / "sorted/buildings" / SHOWN).exists()
    assert len(list((workspace / "sorted/receipts").glob("*.jpg"))) >= 10


def answer_what_was_drawn(workspace: Path) -> None:
    """Fill in the table of the audit, as its reader does."""
    table = workspace / "to-answer" / "answers.csv"
    if not table.exists():
        return
    head, *rows = csv.reader(table.read_text(encoding="utf-8").splitlines())
    with table.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([head, *([name, "street"] for name, _ in rows)])

"""docs/operations.md: its commands are run as they stand, from top to bottom, on one machine."""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from common.drawing import draw_scene
from tests.colour_model import colour_model
from tests.daemon.service.machine import TOOLS, Machine
from tests.daemon.support import encoded, wait_until

BLOCK = re.compile(r"(?:<!-- not run: (?P<why>[^\n]+) -->\n)?```sh\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
REASONS = {"needs a GPU", "needs the network", "needs the extra `learn`"}


class Block(NamedTuple):
    """Commands that are read together; `why` they are not run, or nothing."""

    text: str
    why: str


def blocks(root: Path) -> list[Block]:
    text = (root / "docs" / "operations.md").read_text(encoding="utf-8")
    return [Block(match["text"], match["why"] or "") for match in BLOCK.finditer(text)]


def test_each_command_is_run_or_needs_what_no_test_has(root: Path) -> None:
    found = blocks(root)
    assert {block.why for block in found} == REASONS | {""}
    for block in found:
        tells = re.search(r"nvidia-smi|cuda|apt-get|git pull|learn", block.text)
        assert bool(tells) == bool(block.why), block.text


@pytest.fixture
def prepared(booted: Machine) -> Machine:
    """Make what the page takes for granted: alice, sudo, a photo, a model, and the program at its place."""
    booted.user("alice")
    here = booted.inside("/root/here")
    here.mkdir()
    (here / "holiday.jpg").write_bytes(encoded(draw_scene("forest", 1)))
    (here / "model.onnx").write_bytes(colour_model())
    for name, line in (("sudo", 'exec "$@"'), ("phototriage", f'exec "{sys.prefix}/bin/phototriage" "$@"')):
        command = booted.inside(f"/usr/local/bin/{name}")
        command.write_text(f"#!/bin/sh\n{line}\n")
        command.chmod(0o755)
    return booted


@pytest.mark.system(*TOOLS, root=True)
def test_the_page_works_as_written(prepared: Machine, root: Path) -> None:
    path = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    inboxes = prepared.inside("/srv")
    for block in blocks(root):
        if not block.why:
            prepared.run("bash", "-euxo", "pipefail", "-c", f"cd /root/here\n{block.text}", PATH=path)
            wait_until(lambda: not any(inboxes.glob("*/inbox/*.jpg")), "the inboxes to be empty")
    assert [path.name for path in inboxes.glob("photos/sorted/*/*")] == ["holiday.jpg"]
    metrics = "/run/phototriage/photos/photos.prom"
    wait_until(prepared.inside(metrics).exists, "the metrics, every 15 s")
    assert (
        "phototriage_filed_total" in prepared.run("setpriv", "--reuid=nobody", "--clear-groups", "cat", metrics).stdout
    )
    states = {
        name: prepared.show(f"phototriage@{name}.service", "ActiveState") for name in ("photos", "scans", "family")
    }
    assert states == {"photos": "active", "scans": "inactive", "family": "inactive"}
    assert "review_below = 0.6\n" in prepared.inside("/etc/phototriage/photos.toml").read_text()

"""The doctor under a real systemd: the service's own sandbox, and how the service is."""

import json
from typing import Any

import pytest

from tests.daemon.service.machine import TOOLS, Machine

pytestmark = pytest.mark.system(*TOOLS, root=True)


def told(machine: Machine, name: str, code: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Return by what they are about the findings of `phototriage doctor --service NAME`."""
    done = machine.phototriage("doctor", "--service", name, "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, list[dict[str, Any]]] = {}
    for line in done.stdout.splitlines():
        finding = json.loads(line)
        found.setdefault(finding["about"], []).append(finding)
    return found


def test_a_rename_is_tried_inside_the_sandbox_and_what_breaks_it_is_named_with_the_cure(
    booted: Machine, alice: str
) -> None:
    folder, unit = f"/srv/{alice}", f"phototriage@{alice}.service"
    words = ("--inbox", f"{folder}/inbox", "--output", f"{folder}/sorted", "--yes")
    booted.phototriage("service", "install", alice, *words)
    good = told(booted, alice)
    for about in ("service", "sandbox", "rename", "rename (in the sandbox)", "ledger"):
        assert {finding["level"] for finding in good[about]} == {"ok"}, good[about]

    drop_in = booted.inside(f"/etc/systemd/system/{unit}.d/two.conf")
    drop_in.write_text(f"[Service]\nReadWritePaths=\nReadWritePaths={folder}/inbox {folder}/sorted\n")
    booted.run("systemctl", "daemon-reload")
    booted.run("systemctl", "restart", unit)
    two = told(booted, alice)
    assert two["rename"][0]["level"] == "ok"  # outside of the sandbox nothing is wrong
    (inside,) = two["rename (in the sandbox)"]
    assert inside["level"] == "warning"
    assert inside["cure"] == f"name only their common parent: ReadWritePaths={folder}"
    assert [finding["level"] for finding in two["sandbox"]] == ["warning"]

    booted.run("systemctl", "stop", unit)
    stopped = told(booted, alice, code=1)
    assert stopped["service"][0]["cure"].endswith(f"sudo systemctl start {unit}")
    assert [finding["level"] for finding in stopped["sandbox"]] == ["warning"]
    assert not list(booted.inside(f"{folder}/inbox").glob(".phototriage.*"))

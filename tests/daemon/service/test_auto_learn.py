"""`service install --auto-learn`: a timer beside the service, whose unit is closed and all the same can learn."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from common.drawing import draw_scene
from tests.daemon.service.installed import Service
from tests.daemon.service.machine import TOOLS, Machine
from tests.daemon.support import encoded, wait_until

PROGRAM = Path(sys.prefix) / "bin" / "phototriage"


@pytest.mark.skipif(find_spec("scipy") is None, reason="learning is an extra")
@pytest.mark.system(*TOOLS, root=True)
def test_a_closed_unit_learns_from_labels_and_the_daemon_takes_the_model(booted: Machine, alice: str) -> None:
    before = booted.run("find", "/etc", "-printf", "%p %m\\n").stdout
    home, unit = f"/home/{alice}/photos", f"phototriage-learn@{alice}.service"
    booted.run("install", "-d", "-o", alice, "-g", alice, home, f"{home}/inbox")
    service = Service(booted, alice, home, "--auto-learn")
    assert booted.show(f"phototriage-learn@{alice}.timer", "ActiveState") == "active"
    assert "is installed like this already" in booted.phototriage("service", "install", alice, *service.words).stdout
    booted.run("systemd-analyze", "security", "--threshold=5", "--no-pager", unit)
    booted.run("systemctl", "start", unit)
    assert "Nobody has said anything yet" in booted.journal(unit)

    albums = booted.inside(f"{home}/albums/drawings")
    albums.mkdir(parents=True)
    for seed in range(12):
        (albums / f"{seed}.png").write_bytes(encoded(draw_scene("street", seed, (160, 120)), "PNG"))
    booted.run("chown", "-R", f"{alice}:", home)
    inbox = ("--inbox", f"{home}/inbox")
    booted.phototriage("labels", "import", f"{home}/albums", "--new", "--yes", *inbox)
    booted.run("systemctl", "start", unit)
    assert "kept     the model in use stays as it is" in booted.journal(unit), "it was not shown to help"
    assert booted.show(unit, "Result") == "success"
    whole = json.loads(booted.run(PROGRAM, "learn", "--for", alice, "--dry-run", "--json", user=alice).stdout)
    assert (whole["verdict"], whole["labels"]["drawings"] + whole["held_out"]) == ("open", 12)

    mine = booted.inside(f"/etc/systemd/system/{unit}.d/zz.conf")  # as if it had been shown to help
    mine.write_text(f"[Service]\nExecStart=\nExecStart={PROGRAM} learn --yes --for {alice}\n")
    booted.run("systemctl", "daemon-reload")
    booted.run("systemctl", "start", unit, check=False)
    assert booted.show(unit, "Result") == "success", booted.journal(unit)
    wait_until(lambda: " is replaced by " in booted.journal(service.unit), "another model in use")
    assert booted.show(service.unit, "NRestarts") == "0"

    mine.unlink()
    booted.phototriage("service", "uninstall", alice, "--yes", "--purge-state")
    assert booted.run("find", "/etc", "-printf", "%p %m\\n").stdout == before
    assert not booted.inside("/var/cache/phototriage").exists()
    assert list(booted.inside("/var/lib/systemd/timers").glob("*phototriage*")) == []
    assert booted.show(f"phototriage-learn@{alice}.timer", "LoadState") == "not-found"

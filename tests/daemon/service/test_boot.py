"""The service as it will run: a real systemd starts, kills, reloads, restarts and stops it."""

import time

import pytest
from PIL import Image

from tests.colour_model import colour_model
from tests.daemon.service.installed import Service, place_model
from tests.daemon.service.machine import TOOLS, Machine
from tests.daemon.support import HASTY, encoded, unique, wait_until

pytestmark = pytest.mark.system(*TOOLS, root=True)


def test_a_machine_is_new_whatever_was_sorted_and_installed_on_the_one_around_it(booted: Machine) -> None:
    assert "There is no ledger" in booted.phototriage("status", check=False).stderr
    assert not booted.run("systemctl", "list-unit-files", "phototriage@*.service", "--no-legend", check=False).stdout


def test_a_photo_is_filed_by_a_rename_and_a_killed_service_comes_back_for_the_next(booted: Machine, alice: str) -> None:
    service = Service(booted, alice, f"/srv/{alice}")
    inode = service.drop("first.jpg", 1)
    assert service.filed("first.jpg").stat().st_ino == inode, "a rename between two mounts would have copied it"
    assert booted.show(service.unit, "StatusText").startswith("ready on ")
    assert "first.jpg" in booted.journal(service.unit)
    booted.run("systemctl", "kill", "--signal=KILL", service.unit)
    began_s = time.monotonic()
    service.drop("second.jpg", 2)
    service.filed("second.jpg")
    print(f"killed with -9, the next photo was filed after {time.monotonic() - began_s:.1f} s")  # noqa: T201
    assert booted.show(service.unit, "NRestarts") == "1"
    booted.run("systemctl", "stop", service.unit)
    assert booted.show(service.unit, "Result") == "success"
    assert "stopped; filed 1 photo" in booted.journal(service.unit)
    inode = service.drop("third.jpg", 3)
    booted.run("systemctl", "start", service.unit)
    assert service.filed("third.jpg").stat().st_ino == inode


def test_the_running_unit_is_as_closed_as_the_one_that_ships(booted: Machine, alice: str) -> None:
    service = Service(booted, alice, f"/srv/{alice}")
    assert booted.run("systemd-analyze", "verify", service.unit).stderr == ""
    booted.run("systemd-analyze", "security", "--threshold=5", "--no-pager", service.unit)
    parent = f"/srv/{alice}"
    assert booted.show(service.unit, "ReadWritePaths").split() == [f"-/srv/phototriage/{alice}", parent]
    main = booted.show(service.unit, "MainPID")
    status = booted.inside(f"/proc/{main}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status


def test_a_stop_in_the_middle_of_a_backlog_takes_seconds_and_loses_nothing(booted: Machine, alice: str) -> None:
    service = Service(booted, alice, f"/srv/{alice}")
    aside, inbox = booted.inside(f"/srv/{alice}/aside"), booted.inside(f"/srv/{alice}/inbox")
    aside.mkdir()
    for number in range(300):
        (aside / f"{number}.jpg").write_bytes(unique("red", number))
    booted.run("chown", "-R", f"{alice}:", f"/srv/{alice}/aside")
    for photo in aside.iterdir():
        photo.rename(inbox / photo.name)
    service.filed("0.jpg")
    began_s = time.monotonic()
    booted.run("systemctl", "stop", service.unit)
    print(f"stopped within {time.monotonic() - began_s:.1f} s")  # noqa: T201
    assert booted.show(service.unit, "Result") == "success", "it was not killed for being late"
    sorted_ = booted.inside(f"/srv/{alice}/sorted")
    left, filed = {path.name for path in inbox.glob("*.jpg")}, {path.name for path in sorted_.glob("*/*.jpg")}
    assert left | filed == {f"{number}.jpg" for number in range(300)}
    assert not left & filed
    booted.run("systemctl", "start", service.unit)
    wait_until(lambda: len(list(sorted_.glob("*/*.jpg"))) == 300, "all 300 photos")


def test_a_stage_that_hangs_ends_the_feeding_and_systemd_the_process(booted: Machine, alice: str) -> None:
    booted.inside(f"/srv/{alice}/site").mkdir()
    booted.inside(f"/srv/{alice}/site/sitecustomize.py").write_text(HASTY)
    booted.run("mkdir", "-p", f"/etc/systemd/system/phototriage@{alice}.service.d")
    hasty = booted.inside(f"/etc/systemd/system/phototriage@{alice}.service.d/hasty.conf")
    hasty.write_text(f"[Service]\nWatchdogSec=2\nRestartSec=0\nEnvironment=PYTHONPATH=/srv/{alice}/site\n")
    service = Service(booted, alice, f"/srv/{alice}")
    main = booted.show(service.unit, "MainPID")
    booted.inside(f"/srv/{alice}/inbox/hangs.ppm").write_bytes(b"P3\n40 40\n255\nsleep")
    booted.run("chown", f"{alice}:", f"/srv/{alice}/inbox/hangs.ppm")
    wait_until(lambda: booted.show(service.unit, "MainPID") not in (main, "0"), "another process")
    said = booted.journal(service.unit)
    assert "stuck: the stage 'read' has been in one call for" in said
    assert "Watchdog timeout" in said


def test_a_process_that_gets_no_further_is_killed_and_the_next_one_files(booted: Machine, alice: str) -> None:
    impatient = booted.inside(f"/etc/systemd/system/phototriage@{alice}.service.d/impatient.conf")
    booted.run("mkdir", "-p", f"/etc/systemd/system/phototriage@{alice}.service.d")
    impatient.write_text("[Service]\nWatchdogSec=2\nRestartSec=0\n")
    service = Service(booted, alice, f"/srv/{alice}")
    main = booted.show(service.unit, "MainPID")
    booted.run("kill", "-STOP", main)
    service.drop("stopped.jpg", 1)
    service.filed("stopped.jpg")
    assert booted.show(service.unit, "MainPID") != main
    said = booted.journal(service.unit)
    assert "Watchdog timeout (limit 2s)!" in said
    assert "Fatal Python error: Aborted" in said
    booted.run("rm", f"/etc/systemd/system/phototriage@{alice}.service.d/impatient.conf")


def test_a_mount_that_goes_and_comes_back_is_used_again_in_the_sandbox(booted: Machine, alice: str) -> None:
    disk, folder = f"/run/disk-{alice}", f"/srv/{alice}"
    booted.run("install", "-d", "-o", alice, disk)
    booted.run("mount", "-t", "tmpfs", "phototriage-test", disk)
    booted.run("install", "-d", "-o", alice, "-g", alice, f"{disk}/photos", f"{disk}/photos/inbox")
    booted.run("mount", "--bind", f"{disk}/photos", folder)  # as a disk that somebody pulls and plugs in again
    service = Service(booted, alice, folder)
    assert f"srv-{alice}.mount" in booted.show(service.unit, "After")
    service.drop("before.jpg", 1)
    service.filed("before.jpg")
    booted.run("umount", "--lazy", folder)
    wait_until(lambda: f"nothing is mounted at {folder}" in booted.journal(service.unit), "the word of the pause")
    booted.run("mount", "--bind", f"{disk}/photos", folder)
    inode = service.drop("after.jpg", 2)
    assert service.filed("after.jpg").stat().st_ino == inode
    booted.run("systemctl", "stop", service.unit)
    booted.run("umount", folder, disk)


def test_before_it_the_device_nodes_of_a_gpu_are_made_where_there_is_what_makes_them(
    booted: Machine, alice: str
) -> None:
    maker = booted.inside("/usr/bin/nvidia-modprobe")
    maker.write_text('#!/bin/sh\necho "$@" >> /run/made-nodes\nexit 1\n')
    maker.chmod(0o755)
    service = Service(booted, alice, f"/srv/{alice}")
    assert booted.inside("/run/made-nodes").read_text() == "-c 0 -c 255\n-u -c 0\n"
    assert booted.show(service.unit, "ActiveState") == "active"
    maker.unlink()


def test_a_picture_that_is_decoded_in_a_process_of_its_own_is_so_in_the_sandbox_too(
    booted: Machine, alice: str
) -> None:
    service = Service(booted, alice, f"/srv/{alice}")
    folder = booted.inside(f"/srv/{alice}")
    (folder / "vast.png").write_bytes(encoded(Image.new("RGB", (6000, 5000), "blue"), "PNG"))  # over 24 megapixels
    booted.run("mv", f"/srv/{alice}/vast.png", f"/srv/{alice}/inbox/vast.png")
    assert service.filed("vast.png").parent.name != "_failed", booted.journal(service.unit)


def test_the_journal_tells_what_went_wrong_from_what_went_well(booted: Machine, alice: str) -> None:
    service = Service(booted, alice, f"/srv/{alice}")
    configuration = booted.inside(f"/etc/phototriage/{alice}.toml")
    configuration.write_text(configuration.read_text().replace("# give_up_after = 60", "give_up_after = 0"))
    booted.run("systemctl", "restart", service.unit)
    service.drop("good.jpg", 1)
    service.filed("good.jpg")
    booted.inside(f"/srv/{alice}/broken.jpg").write_bytes(b"no photo")
    booted.run("mv", f"/srv/{alice}/broken.jpg", f"/srv/{alice}/inbox/broken.jpg")
    assert service.filed("broken.jpg").parent.name == "_failed"
    wait_until(lambda: "broken.jpg" in booted.journal(service.unit, "--priority=warning"), "the journal")
    assert "good.jpg" not in booted.journal(service.unit, "--priority=warning")
    assert "good.jpg" in booted.journal(service.unit)


def test_a_new_model_takes_over_by_a_reload_and_a_broken_one_does_not(booted: Machine, alice: str) -> None:
    folder = f"/srv/{alice}/models"
    booted.run("mkdir", folder)
    place_model(booted, folder, colour_model())
    service = Service(booted, alice, f"/srv/{alice}", "--model", f"{folder}/serving.onnx")
    main = booted.show(service.unit, "MainPID")
    inodes = [service.drop("1.jpg", 1)]
    assert service.filed("1.jpg").parent.name == "red"
    place_model(booted, folder, colour_model(("rouge", "vert", "bleu")))
    booted.run("systemctl", "reload", service.unit)
    wait_until(lambda: "rouge" in booted.journal(service.unit), "the new model")
    inodes.append(service.drop("2.jpg", 2))
    assert service.filed("2.jpg").parent.name == "rouge"
    place_model(booted, folder, colour_model()[:-100])
    booted.run("systemctl", "reload", service.unit)
    wait_until(lambda: "refused" in booted.journal(service.unit), "the refusal of a broken one")
    inodes.append(service.drop("3.jpg", 3))
    assert service.filed("3.jpg").parent.name == "rouge"
    assert [service.filed(f"{number}.jpg").stat().st_ino for number in (1, 2, 3)] == inodes
    assert booted.show(service.unit, "MainPID") == main

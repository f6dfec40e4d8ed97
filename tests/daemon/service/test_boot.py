"""The service as it will run: a real systemd starts, kills, restarts and stops it, for real users."""

import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.colour_model import colour_model
from tests.daemon.service.machine import TOOLS, Machine
from tests.daemon.support import encoded, unique, wait_until

pytestmark = pytest.mark.system(*TOOLS, root=True)


class Service:
    """One installed inbox in a machine, as its owner uses it."""

    def __init__(self, machine: Machine, owner: str, folder: str, *more: str) -> None:
        self.machine, self.owner, self.folder = machine, owner, folder
        self.unit = f"phototriage@{owner}.service"
        self.words = ("--inbox", f"{folder}/inbox", "--output", f"{folder}/sorted", *more)
        self.said = machine.phototriage("service", "install", owner, *self.words, "--yes").stdout

    def drop(self, name: str, number: int, mode: int = 0o600) -> int:
        return drop(self.machine, self.owner, self.folder, name, number, mode)

    def filed(self, name: str) -> Path:
        return filed(self.machine, self.folder, name)


def drop(machine: Machine, owner: str, folder: str, name: str, number: int, mode: int = 0o600) -> int:
    """Move a photo into a folder's inbox, as its owner would, and return its inode."""
    beside, target = machine.inside(f"{folder}/{name}"), machine.inside(f"{folder}/inbox/{name}")
    beside.write_bytes(unique("red", number))
    beside.chmod(mode)
    machine.run("chown", f"{owner}:", f"{folder}/{name}")
    inode = beside.stat().st_ino
    beside.rename(target)
    return inode


def place_model(machine: Machine, folder: str, data: bytes) -> None:
    """Put a model in place by a rename, as everything that writes models does."""
    new = machine.inside(f"{folder}/.new")
    new.write_bytes(data)
    new.rename(new.with_name("serving.onnx"))


def filed(machine: Machine, folder: str, name: str) -> Path:
    """Wait until a photo is filed, whatever its class, and return where it is seen from here."""
    output = machine.inside(f"{folder}/sorted")
    wait_until(lambda: any(output.glob(f"*/{name}")), f"{name} in {output}")
    (path,) = output.glob(f"*/{name}")
    return path


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


def test_names_that_mean_something_to_systemd_are_only_names(booted: Machine, alice: str) -> None:
    folder = f'/srv/{alice}/100% of: "my" $HOME \\ photos'
    booted.run("install", "-d", "-o", alice, "-g", alice, folder, f"{folder}/inbox")
    service = Service(booted, alice, folder)
    inode = service.drop("a.jpg", 1)
    assert service.filed("a.jpg").stat().st_ino == inode


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


def test_an_installation_that_cannot_start_says_why_and_can_be_taken_back(booted: Machine, alice: str) -> None:
    booted.run("install", "-d", "-m", "755", f"/srv/{alice}/sorted")  # of root
    words = ("--inbox", f"/srv/{alice}/inbox", "--output", f"/srv/{alice}/sorted", "--yes")
    done = booted.phototriage("service", "install", alice, *words, check=False)
    assert done.returncode == 1
    assert f"The output /srv/{alice}/sorted cannot be written (Permission denied)" in done.stderr
    booted.run("chown", alice, f"/srv/{alice}/sorted")
    booted.phototriage("service", "install", alice, *words)
    assert booted.show(f"phototriage@{alice}.service", "ActiveState") == "active"


def test_on_a_machine_that_is_only_prepared_it_is_enabled_and_not_started(booted: Machine, alice: str) -> None:
    prepared = Service(booted, alice, f"/srv/{alice}", "--no-start")
    assert booted.show(prepared.unit, "UnitFileState") == "enabled"
    assert booted.show(prepared.unit, "ActiveState") == "inactive"
    assert "is installed." in prepared.said
    Service(booted, alice, f"/srv/{alice}")
    assert booted.show(prepared.unit, "ActiveState") == "active"


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


def test_a_wrong_setting_is_said_once_and_not_tried_again(booted: Machine, alice: str) -> None:
    service = Service(booted, alice, f"/srv/{alice}")
    configuration = booted.inside(f"/etc/phototriage/{alice}.toml")
    configuration.write_text(configuration.read_text() + "no_such_key = 1\n")
    assert booted.run("systemctl", "restart", service.unit, check=False).returncode != 0
    assert booted.show(service.unit, "ActiveState") == "failed"
    assert "unknown key 'no_such_key'" in booted.journal(service.unit)
    left = booted.phototriage("service", "uninstall", alice, "--yes").stdout
    assert f"/etc/phototriage/{alice}.toml stays, for it was changed since" in left
    assert configuration.exists()
    configuration.unlink()


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


def test_a_second_time_nothing_is_changed_and_uninstalled_nothing_of_it_is_left(booted: Machine, alice: str) -> None:
    before = _tree(booted, "/etc")
    service = Service(booted, alice, f"/srv/{alice}")
    started = booted.show(service.unit, "ExecMainStartTimestampMonotonic")
    again = booted.phototriage("service", "install", alice, *service.words, "--yes").stdout
    assert again == f"{service.unit} is installed like this already: nothing is changed.\n"
    assert booted.show(service.unit, "ExecMainStartTimestampMonotonic") == started
    service.drop("mine.jpg", 1)
    filed = service.filed("mine.jpg")
    booted.phototriage("service", "uninstall", alice, "--yes", "--purge-state")
    assert booted.show(service.unit, "LoadState") == "not-found"
    assert filed.exists()
    assert _tree(booted, "/etc") == before
    assert not booted.inside(f"/var/lib/phototriage/{alice}").exists()


def test_another_user_files_what_is_hers_and_both_can_reach_it(booted: Machine, alice: str) -> None:
    stranger = f"bob{alice}"
    booted.user(stranger)
    service = Service(booted, alice, f"/srv/{alice}", "--service-user", "phototriage")
    moved = service.drop("moved.jpg", 1, mode=0o644)
    assert service.filed("moved.jpg").stat().st_ino == moved
    booted.inside(f"/srv/{alice}/other.jpg").write_bytes(unique("red", 2))
    booted.run("sh", "-c", f"umask 027; cp /srv/{alice}/other.jpg /srv/{alice}/inbox/copied.jpg", user=alice)
    filed = service.filed("copied.jpg")
    assert booted.show(service.unit, "User") == "phototriage"
    folder = f"/srv/{alice}/sorted/{filed.parent.name}"
    assert booted.run("stat", "--format=%U:%G %A", folder).stdout == "phototriage:phototriage drwxrws---\n"
    assert booted.run("stat", "--format=%U:%G %A", f"{folder}/copied.jpg").stdout == f"{alice}:phototriage -rw-r-----\n"
    booted.run("mv", f"{folder}/copied.jpg", f"/srv/{alice}/sorted/kept.jpg", user=alice)
    assert booted.run("ls", folder, user=stranger, check=False).returncode != 0
    ask = (Path(sys.prefix) / "bin" / "phototriage", "status", "--inbox", f"/srv/{alice}/inbox")
    assert "ready on " in booted.run(*ask, user=alice).stdout
    assert booted.run(*ask, user=stranger, check=False).returncode == 1


def test_in_a_home_that_nobody_else_may_enter_it_sees_that_one_folder(booted: Machine, alice: str) -> None:
    home = f"/home/{alice}"
    booted.run("chmod", "0700", home)
    booted.run("sh", "-c", f"mkdir -p {home}/photos/inbox; echo secret > {home}/diary", user=alice)
    service = Service(booted, alice, f"{home}/photos", "--service-user", "phototriage")
    inode = service.drop("homely.jpg", 1, mode=0o644)
    assert service.filed("homely.jpg").stat().st_ino == inode
    main = booted.show(service.unit, "MainPID")
    seen = booted.run("nsenter", f"--target={main}", "--mount", "--root", "ls", "-A", home).stdout
    assert seen == "photos\n"
    told = booted.phototriage("doctor", "--service", alice).stdout
    assert "rename (in the sandbox): a photo goes from inbox to output by one rename" in told


def test_without_root_it_is_a_service_of_ones_own(booted: Machine, alice: str) -> None:
    mine = f"/run/user/{booted.run('id', '-u', alice).stdout.strip()}"
    booted.run("install", "-d", "-o", alice, "-m", "700", mine)
    manager = ("--property=Delegate=yes", f"--setenv=XDG_RUNTIME_DIR={mine}", "/usr/lib/systemd/systemd", "--user")
    booted.run("systemd-run", f"--uid={alice}", f"--gid={alice}", f"--unit=manager-{alice}", *manager)
    wait_until(lambda: booted.inside(f"{mine}/systemd/private").exists(), "the user's systemd")

    command = Path(sys.prefix) / "bin" / "phototriage"

    def phototriage(*words: str) -> str:
        return booted.run(command, "service", *words, "--user", "--yes", user=alice, XDG_RUNTIME_DIR=mine).stdout

    words = ("install", "mine", "--inbox", f"/srv/{alice}/inbox", "--output", f"/srv/{alice}/sorted")
    nowhere = booted.run(command, "service", *words, "--user", "--yes", user=alice, check=False)
    assert "XDG_RUNTIME_DIR is not set" in nowhere.stderr
    booted.run("install", "-d", "-m", "700", f"/srv/closed-{alice}", f"/srv/closed-{alice}/in")
    closed = ("--inbox", f"/srv/closed-{alice}/in", "--output", f"/srv/{alice}/sorted", "--user", "--dry-run")
    refused = booted.run(command, "service", "install", "mine", *closed, user=alice, check=False)
    assert refused.stderr == f"phototriage: /srv/closed-{alice}/in cannot be looked at (Permission denied).\n"
    phototriage(*words)
    inode = drop(booted, alice, f"/srv/{alice}", "mine.jpg", 1)
    assert filed(booted, f"/srv/{alice}", "mine.jpg").stat().st_ino == inode
    assert phototriage(*words) == "phototriage@mine.service is installed like this already: nothing is changed.\n"
    phototriage("uninstall", "mine", "--purge-state")
    assert booted.run("find", f"/home/{alice}", "-name", "*phototriage*").stdout == ""
    booted.run("systemctl", "stop", f"manager-{alice}")


def _tree(machine: Machine, folder: str) -> str:
    """Return what lies in a folder: names, owners, modes and sizes."""
    return machine.run("find", folder, "-printf", "%p %u %g %m %y %s\\n").stdout

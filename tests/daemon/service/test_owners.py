"""Whose service it is, and how it comes and goes: real users on a machine with a real systemd."""

import sys
from pathlib import Path

import pytest

from tests.daemon.service.installed import Service, drop, filed
from tests.daemon.service.machine import TOOLS, Machine
from tests.daemon.support import unique, wait_until

pytestmark = pytest.mark.system(*TOOLS, root=True)


def test_names_that_mean_something_to_systemd_are_only_names(booted: Machine, alice: str) -> None:
    folder = f'/srv/{alice}/100% of: "my" $HOME \\ photos'
    booted.run("install", "-d", "-o", alice, "-g", alice, folder, f"{folder}/inbox")
    service = Service(booted, alice, folder)
    inode = service.drop("a.jpg", 1)
    assert service.filed("a.jpg").stat().st_ino == inode


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


def test_a_wrong_setting_is_said_once_and_not_tried_again(booted: Machine, alice: str) -> None:
    service = Service(booted, alice, f"/srv/{alice}")
    configuration = booted.inside(f"/etc/phototriage/{alice}.toml")
    configuration.write_text(configuration.read_text() + "no_such_key = 1\n")
    assert booted.run("systemctl", "restart", service.unit, check=False).returncode != 0
    assert booted.show(service.unit, "ActiveState") == "failed"
    assert "unknown key 'no_such_key'" in booted.journal(service.unit)
    left = booted.phototriage("service", "uninstall", alice, "--yes").stdout
    assert f"/etc/phototriage/{alice}.toml stays, because it was changed after the installation" in left
    assert configuration.exists()
    configuration.unlink()


def test_a_second_time_nothing_is_changed_and_uninstalled_nothing_of_it_is_left(booted: Machine, alice: str) -> None:
    before = _tree(booted, "/etc")
    service = Service(booted, alice, f"/srv/{alice}")
    started = booted.show(service.unit, "ExecMainStartTimestampMonotonic")
    again = booted.phototriage("service", "install", alice, *service.words, "--yes").stdout
    assert again == f"{service.unit} is installed like this already. Nothing was changed.\n"
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
    assert "rename (in the sandbox): one rename moves a photo from inbox to output" in told


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
    assert refused.stderr == f"phototriage: /srv/closed-{alice}/in cannot be read (Permission denied).\n"
    phototriage(*words)
    inode = drop(booted, alice, f"/srv/{alice}", "mine.jpg", 1)
    assert filed(booted, f"/srv/{alice}", "mine.jpg").stat().st_ino == inode
    assert phototriage(*words) == "phototriage@mine.service is installed like this already. Nothing was changed.\n"
    phototriage("uninstall", "mine", "--purge-state")
    assert booted.run("find", f"/home/{alice}", "-name", "*phototriage*").stdout == ""
    booted.run("systemctl", "stop", f"manager-{alice}")


def _tree(machine: Machine, folder: str) -> str:
    """Return what lies in a folder: names, owners, modes and sizes."""
    return machine.run("find", folder, "-printf", "%p %u %g %m %y %s\\n").stdout

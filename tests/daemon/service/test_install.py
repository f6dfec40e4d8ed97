"""What an installation asks for, refuses and shows: without root, and without a systemd that runs."""

import os
import pwd
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.install import auto_learn, sandbox, texts
from daemon.install.errors import ServiceError
from daemon.install.places import Places, places
from daemon.install.record import Record, save
from daemon.install.service_spec import Account, ServiceSpec, check_reach, common_parent, requested
from daemon.install.steps import File, Output, Share
from daemon.install.uninstall import removals
from tests.daemon.house import ask

Require = Callable[[str], str]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """An inbox, and an output that is still to be made."""
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox", tmp_path / "sorted"


def wished(inbox: Path, output: Path, **changes: object) -> ServiceSpec:
    """A user's own service, as far as it is checked without root; changed by hand."""
    account = Account("alice", "people", 1000, 1000)
    fields = {"places": places("scenes", user=True), "inbox": inbox, "output": output, "model": None}
    return ServiceSpec(**(fields | {"owner": account, "runs_as": account} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "-x", "a b", "../etc", "a.b", "é", "x" * 65])
def test_a_name_that_is_none_of_a_unit_is_refused(name: str) -> None:
    with pytest.raises(ServiceError, match="cannot name a service"):
        places(name, user=False)


@pytest.mark.parametrize(
    ("inbox", "output", "sentence"),
    [
        ("nowhere", "sorted", "does not exist. Create it first: mkdir"),
        ("file", "sorted", "is not a folder"),
        ("inbox", "inbox", "the same folder"),
        ("inbox", "far/away/sorted", "Create it first: mkdir -p"),
        ("/", "sorted", "cannot be the inbox, because all of it would be sorted"),
        ("in\nbox", "sorted", "contains a line break"),
    ],
)
def test_folders_that_cannot_serve_are_refused(
    folders: tuple[Path, Path], tmp_path: Path, inbox: str, output: str, sentence: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ServiceError, match=sentence):
        requested(places("scenes", user=True), tmp_path / inbox, tmp_path / output, None, None)


def test_a_model_that_is_not_there_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"none\.onnx does not exist"):
        requested(places("scenes", user=True), *folders, tmp_path / "none.onnx", None)


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp"])
def test_the_systems_service_gets_no_folder_that_is_private_to_each_service(folder: str) -> None:
    with pytest.raises(ServiceError, match="and would not see"):
        check_reach(Path(folder) / "photos")


def test_a_parent_that_is_a_home_or_the_system_is_more_than_a_service_may_have(tmp_path: Path) -> None:
    home = Path(pwd.getpwuid(0).pw_dir)
    with pytest.raises(ServiceError, match=f"that would be {home}. Put both into one folder of their own"):
        common_parent(home, home / "sorted")
    with pytest.raises(ServiceError, match=r"that would be /\. Put both"):
        common_parent(Path("/etc"), Path("/etc2"))


def test_one_parent_is_writable_on_one_file_system_and_two_folders_on_two(
    folders: tuple[Path, Path], elsewhere: Path
) -> None:
    inbox, output = folders
    assert f'ReadWritePaths="{inbox.parent}"' in sandbox.paths(wished(inbox, output))
    lines = sandbox.paths(wished(inbox, elsewhere))
    assert [line for line in lines if line.startswith("ReadWritePaths=")] == [
        f'ReadWritePaths="{path}"' for path in sorted((inbox, elsewhere))
    ]


def test_names_of_mount_units_are_those_of_systemd(require: Require) -> None:
    for point in ("/srv", "/srv/my photos", "/mnt/a-b/.hidden/x_1:2", "/.x", "/mnt/übung"):
        command = [require("systemd-escape"), "--path", "--suffix=mount", point]
        escaped = subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip("\n")
        assert sandbox.mount_unit(Path(point)) == escaped


def test_the_drop_in_names_the_phototriage_that_was_called(folders: tuple[Path, Path], installed: Path) -> None:
    text = texts.drop_in(wished(*folders))
    configuration = places("scenes", user=True).configuration
    assert text.endswith(f'\nExecStart=\nExecStart="{installed}" watch --config "{configuration}"\n')


def test_the_learning_of_a_users_own_service_names_its_inbox_and_that_of_a_system_service_its_name(
    folders: tuple[Path, Path], installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.install.texts.check_reach", lambda path: None)  # the test's own folder is a private one
    own = auto_learn.drop_in(wished(*folders))
    assert own.endswith(f'\nExecStart=\nExecStart="{installed}" learn --auto --inbox "{folders[0]}"\n')
    theirs = auto_learn.drop_in(wished(*folders, places=places("scenes", user=False)))
    assert theirs.endswith(f'\nExecStart=\nExecStart="{installed}" learn --auto --for scenes\n')
    assert "User=alice\nGroup=people\n" in theirs
    assert "ReadWritePaths" not in theirs


def test_the_unit_that_learns_stays_while_another_service_learns(tmp_path: Path) -> None:
    mine, other = (Places(name, False, tmp_path, tmp_path, tmp_path / "records") for name in ("mine", "other"))
    record = Record()
    for path in (*mine.shared, *mine.learning, mine.learn_drop_in):
        record.wrote(path, "")
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    save(mine, record)
    save(other, Record(files={str(other.learn_drop_in): ""}))
    removed = [one.description for one in removals(mine, record, purge=False)]
    assert f"run: systemctl disable --now {mine.learn_timer}" in removed
    assert not {f"remove {path}" for path in mine.learning} & set(removed)
    save(other, Record(files={str(other.drop_in): ""}))
    removed = [one.description for one in removals(mine, record, purge=False)]
    assert [f"remove {path}" for path in mine.learning] == [
        line for line in removed if "learn@." in line and "remove" in line
    ]


def test_one_that_was_never_installed_cannot_be_a_service(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    with pytest.raises(ServiceError, match="without being installed into an environment"):
        texts.drop_in(wished(*folders))


def test_a_configuration_that_somebody_changed_keeps_all_but_what_is_asked_for(folders: tuple[Path, Path]) -> None:
    wanted = wished(*folders, model=folders[0] / 'm"o.onnx')
    first = texts.configuration(wanted)
    assert tomllib.loads(first) == {
        "inbox": str(folders[0]), "output": str(folders[1]), "model": str(wanted.model)
    }  # fmt: skip
    path = wanted.places.configuration
    path.parent.mkdir(parents=True)
    path.write_text(first.replace('# review_below = "off"', "review_below = 0.6  # mine") + "\n# end\n")
    later = texts.configuration(wished(folders[0], folders[1].with_name("other")))
    assert later.count("\n") == path.read_text().count("\n")
    assert tomllib.loads(later) == {
        "inbox": str(folders[0]), "output": str(folders[1].with_name("other")), "model": str(wanted.model),
        "review_below": 0.6,
    }  # fmt: skip
    assert later.endswith("# end\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("layout = '''\n# inbox = x\n'''\n", "must each be one line"), ("inbox = =\n[", "not valid TOML")],
)
def test_a_configuration_that_cannot_be_changed_line_by_line_is_left_alone(
    folders: tuple[Path, Path], text: str, sentence: str
) -> None:
    wanted = wished(*folders)
    path = wanted.places.configuration
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ServiceError, match=sentence):
        texts.configuration(wanted)


def test_a_change_of_a_file_is_shown_as_one(tmp_path: Path) -> None:
    file = File(tmp_path / "a.conf", "one\ntwo\n")
    assert file.describe().splitlines()[1:] == ["    one", "    two"]
    file.do(record := Record())
    assert file.is_done()
    assert record.is_unchanged(str(tmp_path / "a.conf"))
    changed = File(tmp_path / "a.conf", "one\nthree\n")
    assert "    -two" in changed.describe().splitlines()
    assert "    +three" in changed.describe().splitlines()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The command in an environment, as if this were one."""
    command = tmp_path / "environment" / "bin" / "phototriage"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    monkeypatch.setattr("sys.prefix", str(tmp_path / "environment"))
    return command


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_root_shares_no_folder_of_anybody_else_and_none_behind_a_link(tmp_path: Path) -> None:
    hers, group = 1234, 4321
    for name, owner in (("in", hers), ("in/hers", hers), ("in/roots", 0), ("outside", hers)):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, owner, owner)
    (tmp_path / "in" / "link").symlink_to(tmp_path / "outside")
    step = Share(tmp_path / "in", "people", lambda: group, frozenset({hers, 0}))
    assert not step.is_done()
    step.do(Record())
    assert step.is_done()
    shared = {path.name for path in tmp_path.rglob("*") if path.lstat().st_gid == group}
    assert shared == {"in", "hers"}
    assert (tmp_path / "in" / "hers").stat().st_mode & 0o7777 == 0o2775


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_where_others_could_move_folders_about_the_output_is_made_with_their_rights_alone(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(ServiceError, match="nobody cannot make it"):  # the test's own folder keeps others out
        Output(tmp_path / "open" / "sorted", Account("nobody", "nogroup", 65534, 65534)).do(Record())
    assert list((tmp_path / "open").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root may ask for a service of their own")
def test_root_is_asked_to_call_for_a_users_service_without_sudo(folders: tuple[Path, Path]) -> None:
    result = ask("service", "install", "scenes", "--inbox", folders[0], "--output", folders[1], "--user")
    assert result.exit_code == 1
    assert "Run it without sudo" in str(result.output)


def test_a_user_of_the_service_needs_root(folders: tuple[Path, Path]) -> None:
    words = ("--inbox", folders[0], "--output", folders[1], "--user", "--service-user", "phototriage")
    assert ask("service", "install", "scenes", *words).exit_code == 2


def test_what_was_never_installed_cannot_be_taken_back() -> None:
    result = ask("service", "uninstall", "no-such-service", "--dry-run")
    assert result.exit_code == 1
    assert "has not installed a service no-such-service here" in result.output

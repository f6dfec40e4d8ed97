"""An inbox that is no longer used is forgotten, with all that is kept of it; every photo stays."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

import phototriage
from daemon.files.marker import MARKER
from daemon.labels.contents import OutputContents
from daemon.labels.looker import Looker
from daemon.labels.store.tree_file import TREE
from daemon.ledger.intent import Intent
from daemon.photo import Outcome
from tests.daemon.house import House, ask, told
from tests.daemon.support import identity_of, opened_ledger, tree, write


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path / "house")
    house.file("a.jpg")
    house.file("b.jpg", label="street")
    return house


def forget(house: House, *words: str) -> str:
    result = ask("forget", "--inbox", house.inbox, *words)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*words: str | Path) -> str:
    result = ask("forget", *words)
    assert result.exit_code in (1, 2), result.output
    return " ".join(result.stderr.split())


def test_a_deleted_inbox_is_named_until_it_is_forgotten_and_no_photo_is_touched(house: House, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = House(tmp_path / "other", output=tmp_path / "elsewhere")
    other.file("c.jpg")
    shutil.rmtree(house.inbox)
    said = ask("undo", "--last", "1").stderr
    assert f"{house.inbox} (no longer there)" in said
    assert "`phototriage forget` removes the ledger of an inbox that is no longer used" in said
    assert f"phototriage forget --inbox {house.inbox}" in ask("doctor").output
    photos = tree(house.output)
    said = forget(house, "--yes")
    assert f"{house.inbox} (no longer there): the ledger has 2 rows" in said
    assert f"removed: {house.path.parent}\n" in said
    assert f"removed: {house.output / MARKER}\n" in said
    assert f"every photo, also those in {house.output}\n" in said
    assert said.endswith("Forgotten.\n")
    assert not house.path.parent.exists()
    assert tree(house.output) == {name: data for name, data in photos.items() if name != MARKER}
    assert ask("undo", "--last", "1").exit_code == 0
    assert str(house.inbox) not in ask("doctor").output
    assert str(house.inbox) not in ask("status").output


def test_it_asks_first_and_a_no_changes_nothing(house: House) -> None:
    before = tree(house.path.parent), tree(house.output), tree(house.inbox)
    for answer in ("n\n", "\n", ""):
        result = CliRunner().invoke(phototriage.cli, ["forget", "--inbox", str(house.inbox)], input=answer)
        assert "Forget this inbox? [y/N]" in result.output
    assert (tree(house.path.parent), tree(house.output), tree(house.inbox)) == before
    result = CliRunner().invoke(phototriage.cli, ["forget", "--inbox", str(house.inbox)], input="y\n")
    assert result.output.endswith("Forgotten.\n")
    assert not (house.inbox / MARKER).exists()


def test_a_script_is_told_what_was_removed(house: House) -> None:
    assert "--json needs --yes" in refused("--inbox", house.inbox, "--json")
    (facts,) = told("forget", "--inbox", house.inbox, "--yes")
    assert facts == {
        "inbox": str(house.inbox), "output": str(house.output), "rows": 2, "stays": "",
        "removed": [str(path) for path in (house.path.parent, house.inbox / MARKER, house.output / MARKER)],
    }  # fmt: skip


def test_what_a_look_keeps_beside_the_ledger_goes_too(house: House) -> None:
    assert Looker(house.path, OutputContents(house.output)).look(1.0) is not None
    state = house.path.parent
    (state / f".{TREE}.part").touch()  # left by a kill
    assert (state / TREE).exists()
    forget(house, "--yes")
    assert not state.exists()


def test_the_marker_of_an_output_that_others_use_or_of_another_folder_stays(house: House, tmp_path: Path) -> None:
    neighbour = House(tmp_path / "neighbour", output=house.output)
    (house.inbox / MARKER).write_text('{"id": "another"}')
    forget(house, "--yes")
    assert (house.output / MARKER).exists()
    assert (house.inbox / MARKER).exists()
    forget(neighbour, "--yes")
    assert not (house.output / MARKER).exists()


def test_what_is_not_ours_in_the_state_folder_stays_and_is_said(house: House) -> None:
    state = house.path.parent
    (state / "models").mkdir()
    for name in ("models/a.onnx", "stopped.json", "decoding", "undo-lock", "my notes.txt"):
        write(state / name, b"x")
    assert f"{state} stays, because it holds other files: my notes.txt" in forget(house, "--yes")
    assert list(tree(state)) == ["my notes.txt"]


@contextmanager
def held(path: Path) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_it_is_refused_while_a_process_uses_the_inbox_or_its_ledger(house: House) -> None:
    before = tree(house.path.parent)
    for lock in (house.path.parent / "lock", house.path.parent / "undo-lock", house.inbox / MARKER):
        with held(lock):
            said = refused("--inbox", house.inbox, "--yes")
        assert f"A phototriage is running on {house.inbox}. Stop it, then forget the inbox." in said
        assert before.items() <= tree(house.path.parent).items()
    forget(house, "--yes")


def test_it_is_refused_while_a_photo_is_on_its_way_unless_the_inbox_is_gone(house: House) -> None:
    with opened_ledger(house.path) as ledger:
        photo = write(house.inbox / "c.jpg", b"c")
        ledger.intend([Intent(Outcome.FILED, photo, house.output / "c.jpg", identity_of(photo), "00")], 1.0)
    assert f"Photos of {house.inbox} are on their way (1)" in refused("--inbox", house.inbox, "--yes")
    shutil.rmtree(house.inbox)
    forget(house, "--yes")


def test_a_service_that_is_installed_is_not_forgotten(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.forget.SERVICES", house.path.parent.parent)
    monkeypatch.setattr("daemon.forget.CONFIGURATIONS", tmp_path)
    write(tmp_path / f"{house.path.parent.name}.toml", b"")
    said = refused("--inbox", house.inbox, "--yes")
    assert f"sudo phototriage service uninstall {house.path.parent.name} --purge-state" in said


def test_an_inbox_must_be_named_and_known(house: House, tmp_path: Path) -> None:
    other = House(tmp_path / "other")
    shutil.rmtree(other.inbox)
    for said in (refused(), refused("--inbox", tmp_path, "--yes")):
        assert f"Known inboxes: {house.inbox}; {other.inbox} (no longer there)" in said


def test_a_start_that_failed_before_it_knew_its_inbox_is_forgotten_by_its_folder(house: House) -> None:
    failed = house.path.parent.with_name("failed")
    with opened_ledger(failed / "ledger.sqlite"):
        pass
    assert ask("forget", "--inbox", failed, "--yes").exit_code == 0
    assert not failed.exists()
    assert house.path.exists()

"""Labels from elsewhere are imported whole or not at all, and what is exported can be imported again."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.fingerprint import SIDE, Fingerprint
from contract.labels import OTHER
from daemon.labels.store.description import Description, describe
from daemon.labels.store.tree_file import TREE
from tests.daemon.house import ask, told
from tests.daemon.sorted_house import Sorted, facts, refused
from tests.daemon.support import unique, write


@pytest.fixture
def house(tmp_path: Path) -> Sorted:
    return Sorted(tmp_path / "house")


@pytest.fixture
def albums(tmp_path: Path) -> Path:
    """A folder of class folders: three photos of the sea, one of them twice, and what is no photo."""
    folder = tmp_path / "albums"
    for name in ("sea/2025", "street", "_review"):
        (folder / name).mkdir(parents=True)
    write(folder / "sea/1.jpg", unique("blue", 1))
    write(folder / "sea/2025/2.jpg", unique("blue", 2))
    write(folder / "sea/copy of 1.jpg", unique("blue", 1))
    write(folder / "street/3.jpg", unique("red", 3))
    write(folder / "street/3.xmp", b"<xmp/>")
    write(folder / "street/.hidden.jpg", unique("red", 4))
    write(folder / "_review/5.jpg", unique("red", 5))
    write(folder / "6.jpg", unique("red", 6))
    return folder


def imported(*words: str | Path) -> dict[str, Any]:
    (counts,) = told("labels", "import", *words)
    return counts


def test_a_folder_of_class_folders_is_imported_and_a_second_time_adds_nothing(house: Sorted, albums: Path) -> None:
    dry = imported(albums, "--dry-run")
    assert (dry["new"], dry["classes"], dry["recorded"]) == (3, {"sea": 2, "street": 1}, 0)
    assert (dry["repeated"], dry["faults"]) == (1, {"no photo": 1})
    assert house.said() == []
    assert imported(albums, "--yes")["recorded"] == 3
    assert sorted(house.said()) == [
        ("import", str(albums / "sea/1.jpg"), "sea"),
        ("import", str(albums / "sea/2025/2.jpg"), "sea"),
        ("import", str(albums / "street/3.jpg"), "street"),
    ]
    again = imported(albums, "--yes")
    assert (again["new"], again["in_force"], again["recorded"]) == (0, 3, 0)
    assert len(house.events()) == 3
    assert (albums / "sea/1.jpg").exists()


def test_it_is_said_what_would_change_and_asked(house: Sorted, albums: Path) -> None:
    result = ask("labels", "import", albums)
    assert result.exit_code == 1
    assert "New labels: 3 (sea 2, street 1).\nGiven more than once: 1.\nLeft out, no photo: 1.\n" in result.output
    assert "Record 3 labels?" in result.output
    assert house.said() == []
    assert ask("labels", "import", albums, "--yes").output.endswith("3 labels recorded.\n")
    assert "--json needs --yes" in refused("import", albums, "--json", code=2)


def test_a_table_names_photos_by_paths_beside_it(house: Sorted, albums: Path) -> None:
    sorted_photo = house.file("9.jpg")
    house.look()
    rows = [
        "Class;File;Note",
        "street;sea/1.jpg;",
        "sea;street/3.jpg;x",
        "",
        f"street;{sorted_photo};",
        "sea;gone.jpg;",
    ]
    lines = "\n".join(rows)
    table = write(albums / "labels.csv", b"\xef\xbb\xbf" + lines.encode())
    counts = imported(table, "--yes")
    assert (counts["recorded"], counts["faults"]) == (3, {"unreadable": 1})
    assert house.said() == [
        ("import", str(albums / "sea/1.jpg"), "street"),
        ("import", str(albums / "street/3.jpg"), "sea"),
        ("import", "sea/9.jpg", "street"),
    ]
    filed = house.events()[2]
    assert (filed.photo, filed.shown, filed.probability, filed.model) == (3, "sea", 0.75, "m" * 64)
    assert house.one("SELECT said FROM places WHERE photo = 3") == ("street",)
    plain = write(albums / "plain.csv", b"sea/2025/2.jpg,sea\n")
    assert imported(plain, "--yes")["recorded"] == 1


def test_a_photo_with_several_classes_in_the_source_gets_none(house: Sorted, albums: Path) -> None:
    table = write(albums / "labels.csv", b"sea/1.jpg,sea\nsea/copy of 1.jpg,street\nsea/2025/2.jpg,sea\n")
    counts = imported(table, "--yes")
    assert (counts["disputed"], counts["repeated"], counts["recorded"]) == (1, 0, 1)
    assert house.said() == [("import", str(albums / "sea/2025/2.jpg"), "sea")]


def test_labels_in_force_stay_unless_the_source_replaces_them(house: Sorted, albums: Path) -> None:
    ask("labels", "add", "--class", "street", albums / "sea/1.jpg")
    ask("labels", "add", "--class", "sea", albums / "sea/2025/2.jpg")
    ask("labels", "take-back", albums / "sea/2025/2.jpg")
    counts = imported(albums, "--dry-run")
    assert (counts["conflicts"], counts["new"]) == (2, 1)
    assert counts["examples"][0] == {"place": str(albums / "sea/1.jpg"), "in_force": "street", "given": "sea"}
    said = ask("labels", "import", albums, "--yes").output
    assert "Other labels in force, or taken back since: 2. These stay as they are" in said
    assert f"  {albums / 'sea/2025/2.jpg'}: taken back, and the source says sea" in said
    assert imported(albums, "--yes", "--replace")["recorded"] == 2
    words = {one["path"]: one["said"] for one in facts(house, "label") if one["in_force"]}
    assert words == {
        str(albums / "sea/1.jpg"): "sea",
        str(albums / "sea/2025/2.jpg"): "sea",
        str(albums / "street/3.jpg"): "street",
    }


def test_a_class_that_nobody_knows_is_not_made_by_accident(house: Sorted, albums: Path) -> None:
    (albums / "street").rename(albums / "stret")
    for words in (("--yes",), ("--dry-run",)):
        assert "stret (did you mean street?)" in refused("import", albums, *words)
    assert house.said() == []
    assert imported(albums, "--yes", "--new")["recorded"] == 3
    assert [one["name"] for one in facts(house, "proposed class")] == ["stret"]


def test_names_that_cannot_be_classes_are_left_out(house: Sorted, albums: Path) -> None:
    table = write(albums / "labels.csv", b"sea/1.jpg,a/b\nstreet/3.jpg,_other\n")
    counts = imported(table, "--yes")
    assert (counts["refused"], counts["recorded"]) == ({"a/b": 1}, 1)
    assert house.said() == [("import", str(albums / "street/3.jpg"), OTHER)]


def test_a_folder_of_macos_names_the_class_in_the_usual_unicode_form(house: Sorted, albums: Path) -> None:
    (albums / "street").rename(albums / "cafe\u0301")
    assert imported(albums, "--yes", "--new")["classes"] == {"caf\u00e9": 1, "sea": 2}


def test_what_lay_in_the_output_at_the_first_look_is_not_counted_but_can_be_imported(house: Sorted) -> None:
    (house.path.parent / TREE).unlink()
    write(house.output / "sea/old.jpg", unique("blue", 1))
    house.look()
    assert facts(house, "unknown files") == []
    assert imported(house.output, "--inbox", house.inbox, "--yes")["classes"] == {"sea": 1}


def test_of_the_output_only_photos_that_no_ledger_knows_are_labels(house: Sorted, tmp_path: Path) -> None:
    other = Sorted(tmp_path / "other", output=house.output, photos=0)
    other.file("theirs.jpg")
    other.look()
    write(house.output / "sea/new.jpg", unique("blue", 1))
    (house.output / "pets").mkdir()
    write(house.output / "pets/dog.jpg", unique("red", 2))
    write(house.output / "pets/dog.xmp", b"no photo by its name")
    moved = house.move("sea/1.jpg", "street/1.jpg")
    assert facts(house, "unknown files") == [
        {"what": "unknown files", "inbox": str(house.inbox), "class": "pets", "files": 1},
        {"what": "unknown files", "inbox": str(house.inbox), "class": "sea", "files": 1},
    ]
    said = ask("labels", "--inbox", house.inbox).stdout
    assert "Photos that came into class folders since the first look and that no ledger knows: pets 1, sea 1." in said
    assert f"`phototriage labels import {house.output}`" in said
    words = ("--inbox", house.inbox, "--yes", "--new")
    assert imported(house.output / "pets", *words)["classes"] == {"pets": 1}
    assert imported(house.output, *words)["recorded"] == 1
    assert not facts(house, "unknown files")
    assert sorted(house.said()) == [
        ("import", str(house.output / "pets/dog.jpg"), "pets"),
        ("import", str(house.output / "sea/new.jpg"), "sea"),
    ]
    assert moved.exists()


def test_a_folder_of_an_output_whose_layout_names_no_class_is_refused(house: Sorted) -> None:
    with house.connected() as connection:
        describe(connection, Description("{date:%Y}/{name}", ("sea", "street")))
    assert "has no folder that is {label} alone" in refused("import", house.output, "--yes")


def test_a_killed_or_failed_import_records_nothing(house: Sorted, albums: Path) -> None:
    with house.connected() as connection:
        connection.execute(
            "CREATE TRIGGER full AFTER INSERT ON labelled WHEN new.said = 'street'"
            " BEGIN SELECT raise(ABORT, 'full'); END"
        )
    assert "full" in refused("import", albums, "--yes")
    assert house.said() == []
    assert house.one("SELECT count(*) FROM labelled") == (0,)


def test_a_ledger_that_another_process_writes_to_is_waited_for_and_then_refused(
    house: Sorted, albums: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.labels.by_hand.writing.BUSY_S", 0.0)
    with house.connected() as other:
        other.execute("BEGIN IMMEDIATE")
        assert "Another process writes to the ledger" in refused("import", albums, "--yes")
        other.execute("ROLLBACK")
    assert house.said() == []


@pytest.mark.parametrize(
    "line", [b"sea/1.jpg\n", b"{\n", b'{"said": "sea"}\n', b'{"said": "sea", "sha256": "x"}\n', b"[1]\n", b'"x"\n']
)
def test_a_line_that_is_no_label_is_named(house: Sorted, tmp_path: Path, line: bytes) -> None:
    source = write(tmp_path / ("labels.csv" if line.startswith(b"sea") else "labels.jsonl"), line)
    assert "line 1" in refused("import", source, "--yes")
    assert house.said() == []


def test_a_source_that_is_not_there_is_said(house: Sorted, tmp_path: Path) -> None:
    assert "cannot be read" in refused("import", tmp_path / "nothing.csv", "--yes")


def labelled(house: Sorted) -> list[tuple[Any, ...]]:
    columns = "sha256, said, name, founder, side, taken, fingerprint, embedding_id, embedding"
    with house.connected() as connection:
        return connection.execute(f"SELECT {columns} FROM labelled ORDER BY event").fetchall()


def with_features(house: Sorted) -> None:
    """Give each label features, as the daemon does: two photos of one group."""
    values = np.zeros(8, "<f2")
    values[0] = 1
    mark = Fingerprint(5, 9, False, bytes(3 * SIDE * SIDE)).to_bytes()
    with house.connected() as connection:
        (founder,) = connection.execute("SELECT sha256 FROM labelled ORDER BY event").fetchone()
        connection.execute(
            "UPDATE labelled SET founder = ?, side = 'held out', taken = 5.5, fingerprint = ?, embedding_id = 'id',"
            " embedding = ?",
            (founder, mark, values.tobytes()),
        )


def test_an_export_brings_all_labels_into_another_ledger(house: Sorted, tmp_path: Path) -> None:
    stranger = write(tmp_path / "\udcff dog.jpg", unique("red", 1))
    ask("labels", "add", "--class", "street", house.output / "sea/0.jpg", stranger)
    ask("labels", "add", "--none", house.output / "sea/1.jpg")
    with_features(house)
    file = tmp_path / "labels.jsonl"
    result = ask("labels", "export", file)
    assert result.stderr == f"3 labels written to {file}.\n"
    assert file.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]
    assert [(one["said"], one["path"], one["shown"], one["how"]) for one in lines] == [
        ("street", str(house.output / "sea/0.jpg"), "sea", "add"),
        ("street", str(stranger), "", "add"),
        (OTHER, str(house.output / "sea/1.jpg"), "sea", "add"),
    ]
    before = labelled(house)
    assert told("explain", house.output / "sea/0.jpg")[0]["id"] == lines[0]["photo"]
    other = Sorted(tmp_path / "other", photos=0)
    assert imported(file, "--inbox", other.inbox, "--yes")["recorded"] == 3
    assert labelled(other) == before
    assert [(one.shown, one.probability, one.model) for one in other.events()] == [
        ("sea", 0.75, "m" * 64),
        ("", 0.0, ""),
        ("sea", 0.75, "m" * 64),
    ]
    assert imported(file, "--inbox", other.inbox, "--yes")["recorded"] == 0


def test_groups_from_elsewhere_are_made_again_where_there_are_groups(house: Sorted, tmp_path: Path) -> None:
    ask("labels", "add", "--class", "street", house.output / "sea/0.jpg")
    with_features(house)
    file = tmp_path / "labels.jsonl"
    ask("labels", "export", file)
    ask("labels", "forget", house.output / "sea/0.jpg")
    ask("labels", "add", "--class", "sea", house.output / "sea/1.jpg")
    with_features(house)
    assert imported(file, "--yes")["recorded"] == 1
    assert labelled(house)[1][3:5] == (None, None)


def test_an_export_overwrites_nothing_unless_forced(house: Sorted, tmp_path: Path) -> None:
    ask("labels", "add", "--class", "street", house.output / "sea/0.jpg")
    file = write(tmp_path / "labels.jsonl", b"kept")
    assert "exists already" in refused("export", file)
    assert file.read_bytes() == b"kept"
    assert ask("labels", "export", file, "--force").exit_code == 0
    assert json.loads(file.read_bytes())["said"] == "street"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["house", "labels.jsonl"]


def test_an_export_to_standard_output_is_lines_alone(house: Sorted) -> None:
    ask("labels", "add", "--class", "street", house.output / "sea/0.jpg")
    house.output.joinpath("sea/0.jpg").unlink()
    house.look()
    (line,) = ask("labels", "export", "-").stdout.splitlines()
    assert (json.loads(line)["path"], json.loads(line)["name"]) == (None, "0.jpg")


@pytest.mark.parametrize(
    "more",
    [
        {"founder": "x"},
        {"founder": "a" * 64, "side": "both"},
        {"embedding": "AAA="},
        {"embedding_id": "id", "embedding": "AAAAAA==", "fingerprint": "AA=="},
        {"taken": "today"},
        {"probability": 7},
        {"shown": "\ud800"},
    ],
)
def test_features_that_are_none_are_refused(house: Sorted, tmp_path: Path, more: dict[str, Any]) -> None:
    line = json.dumps({"said": "sea", "sha256": "b" * 64} | more)
    assert "line 1" in refused("import", write(tmp_path / "labels.jsonl", line.encode()), "--yes")
    assert house.one("SELECT count(*) FROM labelled") == (0,)


def test_a_backup_of_the_ledger_holds_the_labels(house: Sorted, tmp_path: Path) -> None:
    ask("labels", "add", "--class", "street", house.output / "sea/0.jpg")
    ask("history", "--backup", tmp_path / "copy.sqlite")
    with sqlite3.connect(tmp_path / "copy.sqlite") as copy:
        assert copy.execute("SELECT said FROM labels").fetchall() == [("street",)]
    copy.close()

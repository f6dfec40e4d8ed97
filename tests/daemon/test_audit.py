"""An audit asks blind about photos drawn at random; its answers are no labels, and nothing of them is lost."""

import csv
import os
import random
import re
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from daemon.audit.draw import draw
from daemon.audit.population import population
from daemon.audit.seats import WHOLE, strata_of
from daemon.ledger.audits.answers import Drawn, answer, unanswered
from daemon.ledger.audits.figures import AuditFigure, figure_of
from daemon.models.history import Entry, ModelEvent, note
from tests.daemon.filed_output import START_S, FiledOutput
from tests.daemon.house import ask, told
from tests.daemon.sorted_house import Sorted
from tests.daemon.support import DEADLINE_S, command, environment

MODEL = "m" * 64


@pytest.fixture
def connection(filed: FiledOutput) -> Iterator[sqlite3.Connection]:
    with closing(filed.connection()) as one:
        one.execute("PRAGMA synchronous = OFF")
        yield one


@pytest.fixture
def house(tmp_path: Path) -> Sorted:
    """Twelve photos filed by one model, four of them as a street."""
    one = Sorted(tmp_path / "house", photos=0)
    for number in range(12):
        one.file(f"{number}.jpg", label="street" if number < 4 else "sea")
    note(one.path, Entry(1.0, Path("m.onnx"), ModelEvent.STARTED, MODEL, ("sea", "street")))
    one.look()
    return one


def figure(connection: sqlite3.Connection, model: str = MODEL) -> AuditFigure:
    found = figure_of(connection, model)
    assert found is not None
    return found


def answered(connection: sqlite3.Connection, drawn: list[Drawn], truth: Mapping[int, str]) -> None:
    answer(connection, START_S, [(one.token, truth[one.photo]) for one in drawn])


def drawn_by(connection: sqlite3.Connection, filed: FiledOutput, photos: int, model: str = MODEL) -> list[Drawn]:
    return draw(connection, filed.ledger.path, model, photos, 0.0, START_S)


def test_the_figure_is_unbiased_over_all_that_was_filed_also_if_more_is_filed_between_draws(
    filed: FiledOutput, connection: sqlite3.Connection
) -> None:
    truth = dict[int, str]()
    rare = [(f"rare{number}", 2, 0) for number in range(4)]
    for name, photos, agreed in (("sea", 60, 54), ("pets", 14, 7), *rare):
        for number in range(photos):
            truth[filed.file(f"{name}/{number}.jpg")] = name if number < agreed else "street"
    filed.look()
    labels: dict[int, str] = dict(connection.execute("SELECT id, label FROM photos").fetchall())
    for row, said in truth.items():  # its owner has corrected each mistake already
        if said != labels[row]:
            filed.move(filed.place(row)[0], f"street/{row}.jpg")
    filed.look()
    filed.look()
    assert len(filed.said()) == 21
    rows, found = sorted(truth), list[float]()
    random.Random(7).shuffle(rows)
    rows.sort(key=lambda row: truth[row] != labels[row] and row % 4 > 0)  # what is filed later is wrong more often
    for trial in range(60):
        model = f"{trial:064x}"
        for part in (rows[:20], rows[20:]):
            which = ", ".join(map(str, part))
            connection.execute(f"UPDATE photos SET model = ? WHERE id IN ({which})", (model,))
            answered(connection, drawn_by(connection, filed, 8, model), truth)
        assert figure(connection, model).answered <= 16
        found.append(figure(connection, model).share.value)
    right = sum(truth[row] == labels[row] for row in truth) / len(truth)
    assert abs(fmean(found) - right) < 3 * stdev(found) / len(found) ** 0.5
    assert abs(right - 61 / 82) < 1e-9


def test_each_class_gets_a_photo_and_large_ones_get_more(filed: FiledOutput, connection: sqlite3.Connection) -> None:
    for name, photos in (("sea", 30), ("street", 2), ("pets", 8)):
        for number in range(photos):
            filed.file(f"{name}/{number}.jpg")
    drawn = drawn_by(connection, filed, 10)
    counts = [sum(one.label == name for one in drawn) for name in ("sea", "pets", "street")]
    assert (sum(counts), counts[2]) == (10, 1)
    assert counts[0] > counts[1] > counts[2]
    assert [one.token for one in drawn] == sorted(one.token for one in drawn)  # the order tells no class


def test_more_classes_than_photos_are_one_stratum(filed: FiledOutput, connection: sqlite3.Connection) -> None:
    for number in range(6):
        filed.file(f"class{number}/x.jpg")
    assert set(strata_of(population(filed.ledger.path, MODEL, 0.0, {}, 9), 5)) == {WHOLE}
    assert len(drawn_by(connection, filed, 3)) == 3


def test_what_is_no_answer_of_the_model_is_not_drawn(filed: FiledOutput, connection: sqlite3.Connection) -> None:
    kept = filed.file("sea/kept.jpg")
    filed.file("sea/copy.jpg", b"sea/kept.jpg")
    for number, change in enumerate(
        (
            "known_as = 'sea'",
            "state = 'review'",
            "part_of = 1",
            "model = 'other'",
            "sha256 = ''",
            "undoes = 1",
            "refiles = 1",
        )
    ):
        row = filed.file(f"sea/{number}.jpg")
        connection.execute(f"UPDATE photos SET {change} WHERE id = ?", (row,))
    filed.file("sea/edited.jpg")
    (filed.output / "sea/edited.jpg").write_bytes(b"edited")
    filed.file("sea/gone.jpg")
    (filed.output / "sea/gone.jpg").unlink()
    assert [one.photo for one in drawn_by(connection, filed, 9)] == [kept]
    assert figure(connection).photos == 3  # the edited one and the one that is gone were not known to be so


def test_a_photo_that_another_model_refiled_counts_for_the_first_one(
    filed: FiledOutput, connection: sqlite3.Connection
) -> None:
    first = filed.file("sea/1.jpg")
    filed.move("sea/1.jpg", "street/1.jpg")
    second = filed.record("street/1.jpg")
    connection.execute("UPDATE photos SET refiles = ?, model = 'other' WHERE id = ?", (first, second))
    assert [(one.photo, one.label) for one in drawn_by(connection, filed, 5)] == [(first, "sea")]
    assert drawn_by(connection, filed, 5, "other") == []


def test_a_further_draw_adds_photos_and_asks_about_none_twice(
    filed: FiledOutput, connection: sqlite3.Connection
) -> None:
    truth = {filed.file(f"sea/{number}.jpg"): "sea" for number in range(30)}
    first = drawn_by(connection, filed, 5)
    assert drawn_by(connection, filed, 5) == first
    answered(connection, first, truth)
    second = drawn_by(connection, filed, 7)
    assert not {one.token for one in first} & {one.token for one in second}
    answered(connection, second, truth)
    now = figure(connection)
    assert (now.answered, now.photos, now.share.value) == (12, 30, 1.0)


def test_an_answered_photo_counts_when_it_is_gone_and_one_that_waits_is_replaced(
    filed: FiledOutput, connection: sqlite3.Connection
) -> None:
    truth = {filed.file(f"sea/{number}.jpg"): "street" for number in range(8)}
    first, second = drawn_by(connection, filed, 2)
    answered(connection, [first], truth)
    for one in (first, second):
        name = connection.execute("SELECT destination FROM photos WHERE id = ?", (one.photo,)).fetchone()[0]
        Path(os.fsdecode(name)).unlink()
    filed.look()
    filed.look()
    (third,) = drawn_by(connection, filed, 1)
    assert third.token not in (first.token, second.token)
    assert (figure(connection).answered, figure(connection).photos) == (1, 7)


def test_a_draw_since_a_time_is_about_what_was_filed_then(filed: FiledOutput, connection: sqlite3.Connection) -> None:
    filed.file("sea/old.jpg")
    filed.now_s += 100.0
    new = filed.file("sea/new.jpg")
    (only,) = draw(connection, filed.ledger.path, MODEL, 9, START_S + 50, START_S)
    assert (only.photo, figure(connection).photos, figure(connection).since_s) == (new, 1, START_S + 50)
    assert len(drawn_by(connection, filed, 9)) == 2


def test_a_draw_since_a_time_that_moves_on_draws_no_more(filed: FiledOutput, connection: sqlite3.Connection) -> None:
    for number in range(9):
        filed.file(f"sea/{number}.jpg")
    first = draw(connection, filed.ledger.path, MODEL, 3, START_S - 9, START_S)
    assert draw(connection, filed.ledger.path, MODEL, 3, START_S - 8, START_S) == first


def test_what_would_be_ignored_is_refused(house: Sorted) -> None:
    for words in (("--since", "3d"), ("--model", "m"), ("--photos", "3"), ("--photos", "3", "--json")):
        result = ask("audit", *words)
        assert (result.exit_code, f"{words[0]} draws photos" in result.output) == (2, True)
    assert "nothing is audited yet" in ask("audit", "--photos", "0").output


def table(folder: Path) -> list[list[str]]:
    with (folder / "answers.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def fill(folder: Path, said: Mapping[str, str]) -> Path:
    """Write the classes of some photos into the table, as a spreadsheet of another country does."""
    lines = [";".join(table(folder)[0]), *(f"{name};{said.get(name, '')}" for name, _ in table(folder)[1:])]
    path = folder.parent / f"{folder.name}.csv"
    path.write_text("\r\n".join(lines), encoding="utf-8-sig")
    for name, _ in table(folder)[1:]:
        (path.parent / name).write_bytes((folder / name).read_bytes())
    return path


def exported(house: Sorted, name: str = "to-answer", photos: int = 12) -> tuple[Path, list[str]]:
    folder = house.inbox.parent / name
    result = ask("audit", "--export", folder, "--photos", str(photos))
    assert result.exit_code == 0, result.output
    return folder, [row[0] for row in table(folder)[1:]]


def imported(path: Path, *words: str, code: int = 0) -> dict[str, Any]:
    (counts,) = told("labels", "import", path, "--yes", *words, code=code)
    return counts


def test_an_export_tells_no_class_and_its_photos_are_copies(house: Sorted) -> None:
    folder, names = exported(house)
    assert sorted(names) == names
    assert len(names) == 12
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "answers.csv", "classes.txt"])
    assert all(re.fullmatch("photo-[0-9a-f]{16}[.]jpg", name) for name in names)
    assert all(said == "" for _, said in table(folder)[1:])
    assert (folder / "classes.txt").read_text(encoding="utf-8") == "sea\nstreet\nnone\n"
    filed_inodes = {path.stat().st_ino for path in house.output.rglob("*.jpg")}
    assert not filed_inodes & {path.stat().st_ino for path in folder.iterdir()}
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert "is not empty" in ask("audit", "--export", folder).output
    for root in (house.inbox, house.output):
        assert "Name a folder elsewhere" in ask("audit", "--export", root / "audit").output
        assert not (root / "audit").exists()


def test_a_table_is_read_partly_filled_and_twice_and_nothing_is_lost_between(house: Sorted) -> None:
    folder, names = exported(house)  # the process that drew has ended: the ledger alone remembers
    some = fill(folder, dict.fromkeys(names[:5], "Sea"))
    assert imported(some) == {
        "what": "audit", "new": 5, "in_force": 0, "conflicts": 0, "empty": 7, "faults": [], "recorded": 5,
    }  # fmt: skip
    again = fill(folder, dict.fromkeys(names[:5], "sea") | {names[5]: "none"})
    assert (imported(again)["recorded"], imported(again)["in_force"]) == (1, 6)
    other = fill(folder, {names[0]: "street", names[6]: "sea"})
    assert (imported(other)["recorded"], imported(other)["conflicts"]) == (1, 1)
    assert imported(other, "--replace")["recorded"] == 1
    facts = told("audit")[0]["models"][0]
    assert (facts["answered"], facts["waiting"], facts["photos"], facts["in_use"]) == (7, 5, 12, True)
    assert facts["low"] < facts["accuracy"] < facts["high"]


def test_what_cannot_be_taken_is_said_line_by_line_and_the_rest_is_kept(house: Sorted) -> None:
    folder, names = exported(house)
    path = fill(folder, {names[0]: "stret", names[1]: "sea", names[2]: "sea"})
    (path.parent / names[1]).write_bytes((path.parent / names[3]).read_bytes())
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\r\nphoto-0123456789abcdef.jpg;sea\r\nIMG_1.jpg;sea\r\n{names[2]};street\r\n")
    counts = imported(path, code=1)
    assert (counts["new"], counts["recorded"]) == (1, 1)
    assert counts["faults"] == [
        "line 2: no class is called 'stret'. Did you mean street?",
        f"line 3: {names[1]} was changed since the export. Export again into a new folder.",
        "line 14: photo-0123456789abcdef.jpg was not drawn from this inbox.",
        "line 15: IMG_1.jpg was not drawn from this inbox.",
        f"line 16: {names[2]} has another class in a line before.",
    ]


def test_answers_are_no_labels_and_are_forgotten_with_them(house: Sorted) -> None:
    folder, names = exported(house)
    imported(fill(folder, dict.fromkeys(names, "street")))
    assert house.said() == []
    assert ask("labels", "export", "-").stdout == ""
    assert not [one for one in told("labels") if one["what"] == "label"]
    assert {(one["said"], one["audited"]) for one in told("history")} == {(None, "street")}
    with house.connected() as connection:
        assert connection.execute("SELECT count(*) FROM labelled").fetchone() == (0,)
        (sha256,) = connection.execute("SELECT sha256 FROM audits LIMIT 1").fetchone()
        assert told("labels", "forget", sha256)[0]["events"] == 1
        assert connection.execute("SELECT count(*) FROM audits WHERE sha256 = ?", (sha256,)).fetchone() == (0,)


def test_the_status_shows_what_was_found(house: Sorted) -> None:
    assert "audited" not in ask("status").output
    folder, names = exported(house)
    imported(fill(folder, dict.fromkeys(names, "street")))
    assert "  audited     0.33 of 12, 0.14 to 0.61\n" in ask("status").output


def test_a_photo_that_its_owner_moves_after_the_draw_can_still_be_answered(house: Sorted) -> None:
    folder, names = exported(house)
    path = fill(folder, dict.fromkeys(names, "street"))
    house.move("sea/5.jpg", "street/mine.jpg")
    house.look()
    house.look()
    assert imported(path)["recorded"] == 12
    assert told("audit")[0]["models"][0]["accuracy"] == pytest.approx(1 / 3)


def test_each_month_has_its_own_figure(house: Sorted) -> None:
    with house.connected() as connection:  # the streets were filed in spring, and are said to be right
        connection.execute("UPDATE photos SET concluded_at = unixepoch(iif(label = 'sea', '2026-10-15', '2026-04-15'))")
    folder, names = exported(house)
    imported(fill(folder, dict.fromkeys(names, "street")))
    months = told("audit")[0]["models"][0]["months"]
    found = {name: (one["answered"], one["accuracy"]) for name, one in months.items()}
    assert found == {"2026-04": (4, 1.0), "2026-10": (8, 0.0)}
    assert "    filed in 2026-04: 1.00 of 4, 0.51 to 1.00\n" in ask("audit").output


def test_two_models_are_told_apart_only_when_their_intervals_are(house: Sorted) -> None:
    folder, names = exported(house)
    imported(fill(folder, dict.fromkeys(names, "street")))
    before = told("audit")[0]
    assert before["compared"] is None
    with house.connected() as connection:
        connection.execute("UPDATE photos SET model = ?", ("n" * 64,))
    note(house.path, Entry(2.0, Path("n.onnx"), ModelEvent.USED, "n" * 64, ("sea", "street")))
    folder, names = exported(house, "again")
    imported(fill(folder, dict.fromkeys(names, "sea")))
    now = told("audit")[0]
    assert [one["model"][0] for one in now["models"]] == ["n", "m"]
    assert (now["compared"]["better"], now["compared"]["more"]) == (None, [23, 23])
    assert "cannot tell, 23 more answers about nnnnnnnnnnnn and 23 more" in ask("audit").output
    assert "which is no audit" in ask("audit").output


def test_a_terminal_asks_blind_and_keeps_each_answer_before_the_next_question(house: Sorted) -> None:
    control, terminal = os.openpty()
    running = subprocess.Popen(
        command("audit", "--photos", "3"), stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment(), text=True,
    )  # fmt: skip
    os.close(terminal)
    os.write(control, b"sea\n\n")
    said = ""
    assert running.stdout is not None
    while "Photo 3 of 3: " not in said:
        piece = running.stdout.read(1)
        assert piece, said
        said += piece
    running.kill()
    running.communicate(timeout=DEADLINE_S)
    os.close(control)
    asked = [line for line in said.splitlines() if line.startswith("Photo")]
    assert len(asked) == 3
    assert not any(word in line for line in asked for word in ("sea", "street", str(house.output)))
    with house.connected() as connection:
        kept = [row[0] for row in connection.execute("SELECT said FROM audits ORDER BY token")]
        assert kept == ["sea", "", None]
        assert len(unanswered(connection, MODEL)) == 1

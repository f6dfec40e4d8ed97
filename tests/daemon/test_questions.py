"""Questions are answered from any ledger, at work or stopped, own or not, and change nothing."""

import csv
import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contract.labels import OTHER
from daemon.commands.questions import lookups
from daemon.ledger import queries, schema
from daemon.ledger.labels.events import Event, How, record
from daemon.ledger.labels.tables import PLACES
from daemon.ledger.ledger import Intent, Ledger
from daemon.ledger.movers import Mover
from daemon.ledger.reader import ask_ledger
from daemon.ledger.schema import MIGRATIONS
from daemon.photo import STATES, Mode, Outcome
from tests.daemon.conftest import Stranger
from tests.daemon.house import House, ask, told
from tests.daemon.support import digest, identity_of, opened_ledger, plain, write

DAY_S = 86_400.0
HOSTILE = "=cmd|' C calc'!A0\x1b[2J\n.jpg"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


@pytest.fixture
def full(house: House) -> House:
    """Three photos of three days, in three states."""
    at_s = datetime.fromisoformat("2026-11-20T12:00").timestamp()
    house.file("a.jpg", at_s - 2 * DAY_S)
    house.file("b.jpg", at_s - DAY_S, "street", Outcome.REVIEW, reason="street 0.75 is below 0.90")
    house.file("c.jpg", at_s, "", Outcome.FAILED, reason="truncated: it ends early", top=None)
    return house


def names(rows: list[dict[str, Any]]) -> str:
    return "".join(Path(str(row["path"])).stem for row in rows)


def test_history_shows_what_was_asked_for_youngest_first(full: House) -> None:
    for words, which in {
        "": "cba",
        "--limit 2": "cb",
        "--limit 1 --all": "cba",
        "--since 2026-11-19": "cb",
        "--until 2026-11-19": "ba",
        "--until 2026-11-19T11:59": "a",
        "--since 2026-11-19 --until 2026-11-19": "b",
        "--since 1min": "",
        "--label street": "b",
        "--state filed": "a",
        "--state failed --state review": "cb",
        "--state open": "",
        "--label sea --state failed": "",
    }.items():
        assert names(told("history", *words.split())) == which, words


def test_a_row_of_history_is_the_whole_story(full: House) -> None:
    (row,) = told("history", "--state", "review")
    at = datetime.fromisoformat("2026-11-19T12:00").astimezone().isoformat(timespec="milliseconds")
    assert {name: row[name] for name in ("at", "batch", "label", "probability", "reason", "mode", "taken_back")} == {
        "at": at, "batch": 2, "label": "street", "probability": 0.75, "reason": "street 0.75 is below 0.90",
        "mode": "move", "taken_back": False,
    }  # fmt: skip
    assert (row["inbox"], row["path"]) == (str(full.inbox), str(full.inbox / "b.jpg"))
    assert (row["destination"], row["top"]) == (str(full.output / "_review" / "b.jpg"), {"sea": 0.75, "street": 0.25})


def test_history_asks_all_ledgers_or_that_of_one_inbox(full: House, tmp_path: Path) -> None:
    House(tmp_path / "other").file("d.jpg", 5.0)
    assert sorted(names(told("history"))) == ["a", "b", "c", "d"]
    assert names(told("history", "--inbox", tmp_path / "other" / "inbox")) == "d"
    result = ask("history", "--inbox", tmp_path)
    assert result.exit_code == 1
    assert f"There is no ledger of {tmp_path} that this user can read" in result.stderr


def test_a_table_shows_the_whole_path_below_the_output_and_says_when_there_is_nothing(full: House) -> None:
    deep = full.output / "_review" / "trip" / "2023"
    deep.mkdir(parents=True)
    full.file("d.jpg", 1.0, outcome=Outcome.REVIEW, destination=deep / "d.jpg")
    full.file("e.jpg", 1.0, "mountain", destination=full.output / "sea" / "mountain" / "e-1.jpg")
    full.file("f.jpg", 1.0, destination=full.inbox.parent / "earlier" / "sea" / "f.jpg")
    rows = [line.rpartition("  ")[2].strip() for line in ask("history").stdout.splitlines()[2:]]
    assert rows == [
        f"{full.inbox.parent}/earlier/sea/f.jpg", "sea/mountain/e-1.jpg, was e.jpg", "_review/trip/2023/d.jpg",
        "_failed/c.jpg", "_review/b.jpg", "sea/a.jpg",
    ]  # fmt: skip
    assert "review street 0.75  _review/b.jpg" in ask("history", "--state", "review").output
    assert "No photo in the ledger matches" in ask("history", "--state", "gone").stderr


def test_where_no_terminal_is_a_row_is_one_line_however_long_the_name(house: House) -> None:
    name = "a" * 120 + ".jpg"
    house.file(name, 1.0)
    (row,) = [line for line in ask("history").stdout.splitlines() if name in line]
    assert row.endswith(f"sea/{name}")


def test_a_service_names_its_ledger_by_its_state_folder(full: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(full.path.parent))
    monkeypatch.setenv("XDG_STATE_HOME", "/nowhere")
    assert names(told("history")) == "cba"


def test_hostile_names_reach_neither_terminal_nor_spreadsheet(house: House) -> None:
    house.file(HOSTILE, 1.0, reason="+1")
    table = ask("history")
    assert table.exit_code == 0
    assert "\x1b" not in table.output
    assert "\\x1b" in table.output
    (row,) = csv.DictReader(ask("history", "--csv").stdout.splitlines())
    assert (row["reason"], row["state"], row["probability"]) == ("'+1", "filed", "0.75")
    assert row["path"].startswith("/")
    assert "\x1b" not in ask("explain", house.inbox / HOSTILE).output
    assert told("history")[0]["path"] == str(house.inbox / HOSTILE)


def test_a_label_that_is_a_formula_is_none_in_a_spreadsheet(house: House) -> None:
    for label in ("=1+1", "+1", "-1", "@a", "\t=1"):
        house.file("a.jpg", 1.0, label)
    labels = [row["label"] for row in csv.DictReader(ask("history", "--csv").stdout.splitlines())]
    assert labels == ["'\\x09=1", "'@a", "'-1", "'+1", "'=1+1"]


def listing(folder: Path) -> list[tuple[str, int, int]]:
    """Names, times and sizes; of a ledger's index of its log, which readers lock in, the name alone."""
    return sorted(
        (path.name, *((0, 0) if path.name.endswith("-shm") else (path.stat().st_mtime_ns, path.stat().st_size)))
        for path in folder.rglob("*")
    )


@pytest.mark.parametrize("at_work", [True, False])
def test_a_question_changes_nothing(full: House, at_work: bool) -> None:
    daemon = Ledger(full.path) if at_work else None
    before = listing(full.path.parent)
    assert names(told("history")) == "cba"
    ask("explain", full.inbox / "a.jpg")
    assert listing(full.path.parent) == before
    if daemon is not None:
        (row,) = daemon.intend([], 1.0) or [0]
        assert row == 0
        daemon.close()


def test_what_was_committed_a_moment_ago_is_told_while_the_daemon_works(full: House) -> None:
    with opened_ledger(full.path) as daemon:
        source = write(full.inbox / "new.jpg", b"new")
        daemon.intend([Intent(Outcome.FILED, source, full.output / "sea" / "new.jpg", identity_of(source), "00")], 9e9)
        assert names(told("history", "--state", "open")) == "new"


def killed(house: House) -> None:
    """Leave a ledger as a killed daemon does: the last rows only in its log."""
    daemon = Ledger(house.path)
    source = write(house.inbox / "new.jpg", b"new")
    daemon.intend([Intent(Outcome.FILED, source, house.output / "new.jpg", identity_of(source), "00")], 9e9)
    parts = {path: path.read_bytes() for path in house.path.parent.iterdir()}
    daemon.close()
    for path, data in parts.items():
        path.write_bytes(data)


@pytest.mark.parametrize("end", ["stopped", "killed", "killed without an index"])
def test_somebody_who_may_only_read_reads_the_ledger_of_a_stopped_daemon(
    full: House, stranger: Stranger, end: str
) -> None:
    if end.startswith("killed"):
        killed(full)
    if end.endswith("index"):
        Path(f"{full.path}-shm").unlink()
    folder = full.path.parent
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    done = stranger.phototriage("history", "--json")
    folder.chmod(0o700)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert names(rows) == ("newcba" if end.startswith("killed") else "cba")


def test_an_old_ledger_is_read_without_being_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.sqlite"
    with monkeypatch.context() as old:
        old.setattr(schema, "MIGRATIONS", MIGRATIONS[:1])
        with opened_ledger(path):
            pass
    before = path.read_bytes()
    assert ask_ledger(path, lambda connection: connection.execute("SELECT held FROM photos").fetchall()) == []
    assert path.read_bytes() == before


def make_old(ledger: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace a ledger by one of an earlier version with the same rows."""
    with monkeypatch.context() as old:
        old.setattr(schema, "MIGRATIONS", MIGRATIONS[:version])
        with opened_ledger(ledger.with_name("old")) as made:
            made._connection.execute("ATTACH ? AS today", (str(ledger),))
            tables = made._connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                columns = ", ".join(row[1] for row in made._connection.execute(f"PRAGMA main.table_info({table})"))
                made._connection.execute(f"INSERT OR REPLACE INTO {table} SELECT {columns} FROM today.{table}")
    ledger.with_name("old").replace(ledger)


def test_photos_of_an_old_ledger_lie_where_they_were_filed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path / "house")
    filed = house.file("a.jpg", 1.0)
    house.file("b.jpg", 2.0, "street", Outcome.REVIEW)
    make_old(house.path, MIGRATIONS.index(PLACES), monkeypatch)
    before = house.path.read_bytes()
    (row,) = told("history", "--label", "sea")
    assert (row["place"], row["folder"], row["said"]) == (str(filed), "sea", None)
    assert names(told("history", "--label", "_review")) == names(told("history", "--label", "street")) == "b"
    assert told("history", "--said", "sea") == []
    assert told("explain", filed)[0]["events"] == []
    assert names(told("undo", "--label", "sea", "--dry-run")) == "a"
    assert house.path.read_bytes() == before


def test_a_damaged_ledger_is_said(house: House) -> None:
    house.path.write_bytes(b"this is a text of mine" * 300)
    result = ask("history")
    assert result.exit_code == 1
    assert "is damaged. Move it away" in result.stderr


def test_wrong_usage_is_refused() -> None:
    for words, sentence in (
        (("--since", "tomorrow"), "'tomorrow' is not a time. Write 2026-11-20"),
        (("--since", "99999999999d"), "is not a time"),
        (("--json", "--csv"), "cannot be combined"),
        (("--limit", "0"), "--limit"),
        (("--state", "lost"), "--state"),
    ):
        result = ask("history", *words)
        assert result.exit_code == 2, words
        assert sentence in result.stderr


def test_no_ledger_at_all_is_said() -> None:
    result = ask("history")
    assert result.exit_code == 1
    assert "There is no ledger that this user can read. `watch` and `sort` create one at their start" in result.stderr


def test_a_photo_is_explained_by_where_it_lies_lay_or_by_its_content(full: House, tmp_path: Path) -> None:
    here, once = full.output / "sea" / "a.jpg", full.inbox / "a.jpg"
    copy = write(tmp_path / "copy.jpg", here.read_bytes())
    answers = [told("explain", path) for path in (here, once, copy)]
    assert [[(row["state"], row["now"]) for row in rows] for rows in answers] == 3 * [
        [("filed", "it is there, unchanged")]
    ]
    text = "".join(ask("explain", copy).output.split())
    for part in ("sea 0.7500", "street 0.2500", "read 1.5 ms", "on the CPU", "SHA-256 " + digest(here.read_bytes())):
        assert "".join(part.split()) in text


def moved_away(photo: Path) -> None:
    photo.rename(photo.with_name("elsewhere.jpg"))


def rewritten(photo: Path) -> None:
    write(photo, b"x" * photo.stat().st_size)


def copied_over(photo: Path) -> None:
    data = photo.read_bytes()
    photo.unlink()
    write(photo, data, mtime_s=1.0)


def made_a_folder(photo: Path) -> None:
    photo.unlink()
    photo.mkdir()


@pytest.mark.parametrize(
    ("happened", "since"),
    [
        (moved_away, "it is no longer there"),
        (rewritten, "another file is there now, or it was changed"),
        (copied_over, "it is there, with the same content"),
        (made_a_folder, "something else than a file is there now"),
    ],
)
def test_what_happened_since_is_told(full: House, happened: object, since: str) -> None:
    happened(full.output / "sea" / "a.jpg")  # type: ignore[operator]
    (row,) = told("explain", full.inbox / "a.jpg")
    assert str(row["now"]).startswith(since)


MOVES = {
    "mountain/a.jpg": "it is now in mountain/ (moved by somebody since)",
    "sea/mine.jpg": "it is now called mine.jpg (renamed by somebody since)",
    "mountain/2023/mine.jpg": "it is now in mountain/2023/ as mine.jpg (moved and renamed by somebody since)",
    "a.jpg": "it is now in the output itself (moved by somebody since)",
    "../inbox/a.jpg": "it is now in the inbox (moved by somebody since)",
    "../desk/a.jpg": "it is now in {0}/desk/ (moved by somebody since)",
}


@pytest.mark.parametrize("place", MOVES)
@pytest.mark.parametrize("asked", ["itself", "relative", "by a link"])
def test_the_file_that_was_asked_about_is_never_told_to_be_gone(
    full: House, place: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = (full.output / place).resolve()
    now.parent.mkdir(parents=True, exist_ok=True)
    (full.output / "sea" / "a.jpg").rename(now)
    link = full.output / "link.jpg"
    link.symlink_to(now)
    monkeypatch.chdir(now.parent)
    question = {"itself": now, "relative": Path("..") / now.parent.name / now.name, "by a link": link}[asked]
    found = MOVES[place].format(full.output.parent)
    assert [row["now"] for row in told("explain", question)] == [found]
    said = ask("explain", question).output.splitlines()[0]
    name = "link.jpg" if asked == "by a link" else now.name
    assert said == f"{name} was filed as sea by the model mmmmmmmmmmmm on 2026-11-18 at 12:00:00; {found}."


def test_the_first_line_tells_a_copy_an_edited_file_and_a_new_one_of_the_same_name_apart(
    full: House, tmp_path: Path
) -> None:
    here, once = full.output / "sea" / "a.jpg", full.inbox / "a.jpg"
    when = "filed as sea by the model mmmmmmmmmmmm on 2026-11-18 at 12:00:00"

    def first(path: Path) -> str:
        result = ask("explain", path)
        return (result.stdout or result.stderr).splitlines()[0]

    copy = write(tmp_path / "copy.jpg", here.read_bytes())
    assert first(here) == f"a.jpg was {when}; it is there, unchanged."
    assert (
        first(copy) == f"copy.jpg is a copy of sea/a.jpg, which was {when}; of the filed one: it is there, unchanged."
    )
    assert first(once) == f"{once}: no file can be read there now. A file at this path was {when}."
    write(once, b"the next IMG_0001")
    another = "is not known by its content: it is another file, or it was changed. A file at this path was"
    assert first(once) == f"a.jpg {another} {when}."
    write(here, b"edited" * 9)
    assert first(here) == f"a.jpg {another} {when}."
    edited = here.rename(full.output / "a.jpg")
    assert f"A file of this name was {when}, to sea/a.jpg; its content is another." in first(edited)
    dangling = tmp_path / "dangling.jpg"
    dangling.symlink_to(tmp_path / "nothing")
    assert "by path only, because it is a link to a file that is gone" in first(dangling)
    fresh = write(full.inbox / "new.jpg", b"new")
    assert f"It lies in the inbox {full.inbox} and was not filed from there yet" in first(fresh)


def test_of_a_photo_that_went_where_a_person_put_another_one_the_reason_is_told(house: House) -> None:
    reason = "known: nearly the same as street/IMG_1.jpg, which a person put there"
    house.file("a.jpg", 1.0, reason=reason, known_as="street")
    said = " ".join(ask("explain", house.inbox / "a.jpg").stdout.split())
    assert f"reason {reason}" in said
    assert f"({reason})" in said
    assert "filed as sea" not in said
    assert "filed sea 0.75, known" in ask("history").stdout
    (row,) = told("history", "--label", "street")
    assert (row["label"], row["folder"], row["known_as"]) == ("sea", "street", "street")
    assert told("history", "--label", "sea") == []


def test_of_two_equal_photos_each_is_explained_by_its_own_row(full: House) -> None:
    here = full.output / "sea" / "a.jpg"
    second = write(full.output / "sea" / "twin.jpg", here.read_bytes())
    full.file("twin.jpg", 9.0, destination=second, identity=identity_of(second), sha256=digest(here.read_bytes()))
    here.unlink()
    second.write_bytes(plain("red"))  # which `file` wrote over
    write(second, plain("red") + b"a.jpg")
    assert [row["now"].partition(",")[0] for row in told("explain", second)] == [
        "it is no longer there: someone else moved", "it is there"
    ]  # fmt: skip


def test_a_folder_is_not_explained_but_its_history_is_offered(full: House, tmp_path: Path) -> None:
    ask_for = f"phototriage history --inbox {full.inbox}"
    for folder, offered in (
        (full.output / "sea", f"What was filed there: {ask_for} --label sea"),
        (full.output, f"What was filed there: {ask_for}"),
        (full.inbox, f"What was filed from there: {ask_for}"),
        (tmp_path, ""),
    ):
        result = ask("explain", folder)
        assert result.exit_code == 1
        said = f"{folder} is a folder, and `explain` takes one photo. {offered}".rstrip()
        assert result.stderr == f"phototriage: {said}\n"


def test_a_photo_that_undo_took_back_is_explained_where_it_lies(full: House) -> None:
    ask("undo", "--label", "sea")
    said = ask("explain", full.inbox / "a.jpg").output.splitlines()[0]
    assert said.startswith("a.jpg was moved back to the inbox by `undo` on ")
    assert said.endswith(
        "; it is there, unchanged; the daemon leaves it alone until it changes, or until `phototriage retry --undone`."
    )


def test_a_file_that_was_never_hashed_is_known_by_its_inode(full: House) -> None:
    huge = full.file("huge.tif", 1.0, "", Outcome.FAILED, sha256="", reason="too large", top=None)
    now = huge.rename(full.output / "sea" / "huge.tif")
    assert [row["now"] for row in told("explain", now)] == ["it is now in sea/ (moved by somebody since)"]


def test_a_link_is_explained_by_its_original(house: House) -> None:
    target = house.file("a.jpg", 1.0, mode=Mode.SYMLINK)
    (row,) = told("explain", target)
    assert (row["mode"], row["now"]) == ("symlink", "it is there, unchanged")


def test_a_photo_is_explained_by_its_id_in_the_log_with_all_that_has_its_content(full: House) -> None:
    (row,) = told("history", "--state", "filed")
    full.file("a copy.jpg", 9.0, sha256=row["sha256"])
    (other,) = told("history", "--state", "review")
    assert [found["path"] for found in told("explain", str(row["id"]))] == [
        str(full.inbox / name) for name in ("a.jpg", "a copy.jpg")
    ]
    assert [found["path"] for found in told("explain", str(other["id"]))] == [str(full.inbox / "b.jpg")]
    nobody = ask("explain", "0123456789")
    assert nobody.exit_code == 1
    assert "It was looked for as an id of the log, because no file of that name is here" in nobody.stderr


def test_a_file_whose_name_could_be_an_id_is_the_file(
    full: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = told("history", "--state", "filed")
    monkeypatch.chdir(tmp_path)
    write(tmp_path / str(row["id"]), b"x")
    assert "by path and content" in ask("explain", str(row["id"])).stderr


def test_a_name_that_came_forty_thousand_times_is_explained(full: House) -> None:
    with opened_ledger(full.path) as ledger:
        columns = [row[1] for row in ledger._connection.execute("PRAGMA table_info(photos)") if row[1] != "id"]
        values = ", ".join("printf('%064x', n)" if name == "sha256" else name for name in columns)
        ledger._connection.execute(
            f"WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 40000) "
            f"INSERT INTO photos ({', '.join(columns)}) SELECT {values} FROM photos, count WHERE id = 1"
        )
    found = ask_ledger(full.path, lambda connection: lookups.about(connection, full.inbox / "a.jpg", ""))
    assert len(found) == 40_001


def test_an_unknown_photo_is_said(full: House, tmp_path: Path) -> None:
    for path, how in (
        (tmp_path / "none.jpg", "by path only"),
        (write(tmp_path / "x.jpg", b"x"), "by path and content"),
    ):
        result = ask("explain", path)
        assert result.exit_code == 1
        assert f"No ledger knows {path}. It was looked for by path" in result.stderr
        assert how in result.stderr


def moved(house: House, photo: Path, place: str, said: str = "") -> Path:
    """Move a filed photo as its owner does, and let a look see it."""
    now = house.output / place
    now.parent.mkdir(parents=True, exist_ok=True)
    photo.rename(now)
    house.seen(photo, now, said)
    return now


def test_history_selects_photos_by_the_folder_where_they_lie_now_and_by_what_people_said(full: House) -> None:
    moved(full, full.output / "sea" / "a.jpg", "street/trip/a.jpg", "street")
    full.file("d.jpg", 9e9)
    full.file("e.jpg", 9e9, "forest", Outcome.REVIEW)
    moved(full, full.output / "_review" / "e.jpg", "sea/e.jpg", "sea")
    for words, which in {
        "--label street": "ba",  # b lies in _review, and the model took it for street
        "--label street --state filed": "a",
        "--label sea": "ed",
        "--label forest": "",
        "--label _review": "b",
        "--label _failed": "c",
        "--said street": "a",
        "--said sea": "e",
        "--said sea --label street": "",
    }.items():
        assert names(told("history", *words.split())) == which, words


def test_history_shows_both_answers_and_the_place_of_a_photo_that_was_moved(full: House) -> None:
    now = moved(full, full.output / "sea" / "a.jpg", "street/a.jpg", "street")
    full.seen(full.output / "_review" / "b.jpg", None)
    c, b, a = told("history")
    assert (a["destination"], a["place"]) == (str(full.output / "sea" / "a.jpg"), str(now))
    assert (a["label"], a["folder"], a["said"]) == ("sea", "street", "street")
    assert (b["place"], b["folder"], b["said"]) == (None, None, None)
    assert (c["place"], c["folder"], c["said"]) == (c["destination"], "_failed", None)
    table = ask("history").output
    assert "filed sea 0.75, said street  sea/a.jpg, now street/a.jpg\n" in table
    assert "_review/b.jpg, gone since\n" in table
    (row,) = csv.DictReader(ask("history", "--csv", "--said", "street").stdout.splitlines())
    assert (row["said"], row["folder"]) == ("street", "street")
    ask("undo", "--said", "street")
    undone, was = told("history", "--since", "2026-11-18", "--until", "2999-01-01", "--label", "sea")
    assert (undone["state"], was["taken_back"]) == ("undone", True)
    assert (undone["place"], was["place"]) == (None, None)


@pytest.mark.parametrize("asked", ["now", "filed", "copy", "inbox"])
def test_explain_says_where_a_photo_is_now_and_what_people_said(full: House, tmp_path: Path, asked: str) -> None:
    filed = full.output / "sea" / "a.jpg"
    now = moved(full, filed, "street/a.jpg", "street")
    copy = write(tmp_path / "copy.jpg", now.read_bytes())
    question = {"now": now, "filed": filed, "copy": copy, "inbox": full.inbox / "a.jpg"}[asked]
    (row,) = told("explain", question)
    found = "it is now in street/ (moved by somebody on 1970-01-01, label street)"
    assert (row["now"], row["place"], row["said"]) == (found, str(now), "street")
    first = ask("explain", question).output.splitlines()[0]
    if asked == "now":
        assert first.endswith(f"; {found}.")
    elif asked == "copy":
        assert first.startswith("copy.jpg is a copy of street/a.jpg, which was filed as sea ")
        assert first.endswith(f"; of the filed one: {found}.")


def test_explain_shows_what_the_model_and_what_people_said_event_by_event(full: House) -> None:
    filed = full.output / "sea" / "a.jpg"
    now = moved(full, filed, "street/a.jpg", "street")
    (row,) = told("history", "--said", "street")
    with opened_ledger(full.path) as ledger, ledger._transaction():
        number = int(ledger._connection.execute("SELECT id FROM photos WHERE label = 'sea'").fetchone()[0])
        shown = ("street/a.jpg", "sea", 0.75, "m" * 64)
        for at_s, said in enumerate(
            (
                Event(How.ADD, number, row["sha256"], *shown, OTHER),
                Event(How.TAKE_BACK, number, row["sha256"], *shown, ""),
                Event(How.IMPORT, None, row["sha256"], "/elsewhere/a.jpg", "", 0.0, "", "forest"),
                Event(How.IMPORT, None, "ff" * 32, "/elsewhere/b.jpg", "", 0.0, "", "glacier"),
            )
        ):
            record(ledger._connection, 200.0 + at_s, said)  # fmt: skip
    (told_of,) = told("explain", now)
    assert [(event["how"], event["said"], event["label"]) for event in told_of["events"]] == [
        ("move", "street", "sea"), ("add", "_other", "sea"), ("take-back", None, "sea"), ("import", "forest", ""),
    ]  # fmt: skip
    text = " ".join(ask("explain", now).output.split())
    for line in (
        "people said street, on 1970-01-01 at 00:01:40 by moving it to street/a.jpg; the model had said sea 0.75",
        "none of the classes, on 1970-01-01 at 00:03:20 by `labels add`",
        "nothing any more: the label was taken back, on 1970-01-01 at 00:03:21 by `labels take-back`",
        "forest, on 1970-01-01 at 00:03:22 by `labels import`",
    ):
        assert line in text
    told("undo", "--label", "street")
    assert [len(row["events"]) for row in told("explain", full.inbox / "a.jpg")] == [4, 0]


@pytest.mark.parametrize("question", [None, 3])
def test_a_photo_that_was_seen_elsewhere_and_is_no_label_yet_is_found_and_goes_back(
    full: House, question: int | None
) -> None:
    filed = full.output / "sea" / "a.jpg"
    full.seen(filed, filed)
    now = full.output / "street" / "trip" / "mine.jpg"
    now.parent.mkdir(parents=True)
    status = filed.rename(now).stat()
    with opened_ledger(full.path) as ledger:
        ledger._connection.execute(
            "INSERT INTO sightings SELECT id, ?, ?, ?, ?, x'', 1.0, '', ? FROM photos WHERE label = 'sea'",
            (b"street/trip/mine.jpg", status.st_ino, status.st_size, status.st_mtime_ns, question),
        )
    (row,) = told("explain", now)
    awaited = "the answer to question 3 of `labels`" if question else "a second look"
    assert row["now"] == (
        "it is now in street/trip/ as mine.jpg (moved and renamed by somebody since; "
        f"{awaited} tells whether that is a label)"
    )
    assert (row["place"], row["folder"], row["said"]) == (str(now), "sea", None)
    assert told("explain", filed) == told("explain", now)
    (back,) = told("undo", "--label", "sea")
    assert (back["path"], back["destination"]) == (str(now), str(full.inbox / "a.jpg"))
    with opened_ledger(full.path) as ledger:
        assert ledger._connection.execute("SELECT count(*) FROM sightings").fetchone() == (0,)


def test_a_photo_is_found_by_a_place_where_it_was_labelled_or_lay_last(full: House) -> None:
    filed = full.output / "sea" / "a.jpg"
    street = moved(full, filed, "street/a.jpg", "street")
    forest = street.rename(full.output / "a.jpg")
    full.seen(filed, forest, folder="")
    forest.unlink()
    for path in (street, forest):
        (row,) = told("explain", path)
        assert (row["path"], row["now"]) == (
            str(full.inbox / "a.jpg"), "it is no longer there: someone else moved, renamed or removed it",
        )  # fmt: skip


def test_a_moved_photo_that_was_edited_since_is_told_from_another_file_at_its_place(full: House) -> None:
    filed = full.output / "sea" / "a.jpg"
    now = moved(full, filed, "street/a.jpg")
    write(now, b"keywords")
    assert told("explain", filed)[0]["now"] == "another file is there now, or it was changed"
    full.seen(filed, now)
    where = "it is now in street/ (moved by somebody since), and was edited since"
    assert told("explain", filed)[0]["now"] == where
    edited = full.output / "_review" / "b.jpg"
    write(edited, b"keywords")
    full.seen(edited, edited)
    assert told("explain", edited)[0]["now"] == "it is there, and was edited since"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a.jpg.aB3dE9", "alone until it has not changed for 15 minutes: its name is that of an unfinished upload."),
        (
            "a.jpg.tacitpart",
            "alone until it has not changed for 30 days: its name is that of an unfinished upload.",
        ),
        (".trashed-1-a.jpg", "is left alone: its name begins with a dot, so it is hidden."),
        (
            "b/@Recycle/a.jpg",
            "b/@Recycle is not searched: it belongs to another program, to a device or to the system.",
        ),
        ("closed/b/a.jpg", "the folder closed is not searched: it holds .nomedia."),
    ],
)
def test_of_a_file_that_is_left_alone_explain_says_why(full: House, name: str, why: str) -> None:
    path = full.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (full.inbox / "closed").mkdir(exist_ok=True)
    write(full.inbox / "closed" / ".nomedia", b"")
    assert ask("explain", write(path, b"x")).stderr.strip().endswith(why)


@pytest.fixture
def backup(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "backup.sqlite"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("at_work", [True, False])
def test_a_backup_is_one_whole_file_also_while_the_daemon_works(full: House, backup: Path, at_work: bool) -> None:
    daemon = Ledger(full.path) if at_work else None
    result = ask("history", "--backup", backup)
    assert result.exit_code == 0, result.stderr
    assert "(3 rows) to" in result.output
    with sqlite3.connect(f"{backup.as_uri()}?mode=ro&immutable=1", uri=True) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT count(*) FROM photos").fetchone() == (3,)
    copy.close()
    if daemon is not None:
        daemon.close()
    with opened_ledger(backup) as restored:
        assert restored.open_intents(Mover.DAEMON) == {}


def test_a_backup_overwrites_nothing(full: House, backup: Path) -> None:
    write(backup, b"mine")
    result = ask("history", "--backup", backup)
    assert (result.exit_code, backup.read_bytes()) == (1, b"mine")
    assert "exists already. Name a new file" in result.stderr
    result = ask("history", "--backup", backup / "deeper" / "file")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_backup_is_of_one_ledger(full: House, backup: Path, tmp_path: Path) -> None:
    other = House(tmp_path / "other")
    result = ask("history", "--backup", backup)
    assert result.exit_code == 1
    assert "There is more than one ledger. Choose one with --inbox" in result.stderr
    assert str(other.inbox) in result.stderr
    assert ask("history", "--inbox", other.inbox, "--backup", backup).exit_code == 0


def test_the_states_that_may_be_asked_for_are_those_that_a_row_may_have() -> None:
    rows = {*queries.MOVED, *queries.TAKEN_BACK, "gone", "open"}
    assert set(STATES) == rows

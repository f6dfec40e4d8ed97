"""`phototriage bulk file`: what results say is filed through the ledger, as one batch that can be taken back."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from signal import SIGTERM

import pytest

pytest.importorskip("pyarrow")

from bulk.filing.case import Wanted
from bulk.filing.file import file_results
from bulk.filing.photos import TOGETHER
from daemon.filing.layout import DEFAULT_LAYOUT, FilingOptions
from daemon.ledger.movers import lock_state
from daemon.ledger.state_folder import state_folder
from daemon.photo import Photo
from daemon.process.log_level import Level
from daemon.status.report import Report
from tests.bulk.judged import JudgedPhotos, call, files_below
from tests.colour_model import LABELS
from tests.daemon.support import digest, unique, write


@pytest.fixture
def judged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> JudgedPhotos:
    return JudgedPhotos(tmp_path, lambda: capfd.readouterr().out)


def contents(*roots: Path) -> Counter[str]:
    return Counter(digest((root / one).read_bytes()) for root in roots for one in files_below(root))


def test_results_are_filed_as_one_batch_that_undo_takes_back(judged: JudgedPhotos) -> None:
    for number in range(200):
        judged.photo(f"{number}.jpg", LABELS[number % 3])
    judged.photo("far/0.jpg", "green", relpath="elsewhere")
    judged.photo("unsure.jpg", verdict="review", folder="_review", reason="unsure: red 0.50", review_reason="unsure")
    write(judged.inbox / "bad.jpg", b"no photo")
    judged.judge(judged.inbox / "bad.jpg", "", verdict="failed", folder="_failed", reason="corrupt: no photo", top=[])
    write(judged.inbox / "1.xmp", b"<x/>")
    write(judged.inbox / "far/0.jpg.xmp", b"<far/>")
    before = contents(judged.inbox)
    lines, summary = judged.file()
    assert summary["counts"] == {"red": 67, "green": 68, "blue": 66, "_review": 1, "_failed": 1, "companion files": 2}
    assert len(lines) == 203
    assert {"green/1.xmp", "green/far/0.jpg", "green/far/0.jpg.xmp", "_review/unsure.jpg"} <= set(judged.tree())
    assert "corrupt: no photo" in (judged.output / "_failed/bad.jpg.why.txt").read_text()
    assert files_below(judged.inbox) == []
    assert len(set(judged.ledger_rows("batch"))) == 1
    assert judged.ledger_rows("DISTINCT model, provider, mover, state = becomes") == [("m" * 64, "cpu", "daemon", 1)]
    (batch,) = set(judged.ledger_rows("batch"))
    assert call("undo", "--inbox", judged.inbox, "--batch", str(batch[0])).exit_code == 0
    assert contents(judged.inbox) == before
    assert judged.tree() == []


@pytest.mark.parametrize("mode", ["move", "copy", "hardlink", "symlink"])
def test_a_second_call_files_nothing_and_ends_well(judged: JudgedPhotos, mode: str) -> None:
    for number in range(3):
        judged.photo(f"{number}.jpg", LABELS[number])
    write(judged.inbox / "1.xmp", b"<x/>")
    judged.file("--mode", mode)
    tree, rows = judged.tree(), judged.ledger_rows("*")
    lines, summary = judged.file("--mode", mode)
    assert (lines, summary["before"], summary["counts"]) == ([], 3, {})
    assert (judged.tree(), judged.ledger_rows("*")) == (tree, rows)
    assert len(tree) == 4
    assert len(files_below(judged.inbox)) == (0 if mode == "move" else 4)


def test_what_changed_or_went_after_it_was_judged_stays_with_a_reason(judged: JudgedPhotos) -> None:
    edited, replaced, gone, good = (judged.photo(f"{name}.jpg") for name in ("edited", "replaced", "gone", "good"))
    write(edited, edited.read_bytes()[:-1] + b"!", mtime_s=1e9)  # of the same size and time
    replaced.unlink()
    replaced.symlink_to(good)
    gone.unlink()
    lines, summary = judged.file(code=1)
    told = {Path(line["path"]).name: (line["outcome"], line["reason"]) for line in lines}
    changed = "it changed after it was judged; make a plan again and judge it"
    away = "it was taken away after it was judged"
    assert told == {
        "edited.jpg": ("again", changed), "gone.jpg": ("gone", away), "good.jpg": ("filed", ""),
        "replaced.jpg": ("left", "it is a symbolic link, which `sort` leaves alone, too"),
    }  # fmt: skip
    assert (summary["not_yet"], summary["counts"]) == (1, {"red": 1, "gone meanwhile": 1, "left in the inbox": 1})
    assert judged.tree() == ["red/good.jpg"]


def test_what_people_said_of_a_photo_wins(judged: JudgedPhotos) -> None:
    judged.photo("first.jpg", "red", 7)
    judged.file()
    assert call("labels", "add", "--class", "blue", judged.output / "red/first.jpg").exit_code == 0
    judged.photo("again.jpg", "red", 7)
    judged.photo("other.jpg", "red")
    lines, _ = judged.file()
    assert [(line["said"], Path(line["destination"]).parent.name) for line in lines] == [
        ("blue", "blue"),
        (None, "red"),
    ]


def test_names_are_numbered_and_nothing_is_overwritten(judged: JudgedPhotos) -> None:
    write(judged.output / "mine", b"")
    (judged.output / "red").mkdir()
    write(judged.output / "red/a.jpg", b"somebody's own")
    judged.photo("a.jpg")
    judged.photo("b/a.jpg")
    judged.file("--layout", "{label}/{name}")
    assert (judged.output / "red/a.jpg").read_bytes() == b"somebody's own"
    assert [name for name in judged.tree() if name.startswith("red/")] == ["red/a-1.jpg", "red/a-2.jpg", "red/a.jpg"]


def test_a_dry_run_tells_the_same_places_and_touches_nothing(judged: JudgedPhotos) -> None:
    for number in range(130):
        judged.photo(f"{number}/a.jpg", LABELS[number % 2])
    write(judged.inbox / "4/a.xmp", b"<x/>")
    words = ("--layout", "{label}/{name}")
    dry, _ = judged.file("--dry-run", *words)
    assert judged.tree() == []
    assert not state_folder(judged.inbox).exists()
    lines, _ = judged.file(*words)
    assert [(line["path"], line["destination"], line["companions"]) for line in dry] == [
        (line["path"], line["destination"], line["companions"]) for line in lines
    ]


def test_beside_a_daemon_it_says_so_and_moves_nothing(judged: JudgedPhotos) -> None:
    photo = judged.photo("a.jpg")
    judged.publish()
    state = state_folder(judged.inbox)
    state.mkdir(parents=True)
    with lock_state(state):
        done = call("bulk", "file", judged.results, "--inbox", judged.inbox, "--output", judged.output)
    assert done.exit_code == 1
    assert "Another phototriage uses the ledger" in done.stderr
    assert photo.exists()


@pytest.mark.parametrize(
    ("path", "said"), [("/elsewhere/a.jpg", "Name the --inbox"), ("s3://bucket/a.jpg", "--copy-to")]
)
def test_photos_outside_the_inbox_are_refused(judged: JudgedPhotos, path: str, said: str) -> None:
    here = judged.photo("a.jpg")
    judged.rows[0]["path"] = path
    judged.publish()
    words = ("bulk", "file", judged.results, "--inbox", judged.inbox, "--output", judged.output)
    done = call(*words)
    assert done.exit_code == 1
    assert said in done.stderr
    assert not state_folder(judged.inbox).exists()
    judged.judge(here)
    _, summary = judged.file(code=1)
    assert (summary["outside"], summary["counts"]) == (1, {"red": 1})


@pytest.mark.parametrize(
    "changes",
    [
        {"label": "..", "folder": ".."},
        {"folder": "../red"},
        {"label": "_review", "folder": "_review"},
        {"verdict": "moved"},
        {"sha256": ""},
    ],
)
def test_results_that_no_run_writes_are_refused(judged: JudgedPhotos, changes: dict[str, str]) -> None:
    photo = judged.photo("a.jpg")
    judged.rows[0] |= changes
    judged.publish()
    done = call("bulk", "file", judged.results, "--inbox", judged.inbox, "--output", judged.output)
    assert done.exit_code == 1
    assert "row 0 of part-000000.parquet cannot be filed" in done.stderr
    assert photo.exists()
    assert judged.tree() == []


def test_what_sort_leaves_alone_is_left_alone(judged: JudgedPhotos) -> None:
    hidden = judged.photo(".hidden.jpg")
    other = judged.photo("other/a.jpg")
    write(other.parent / ".phototriage", b'{"id": "2"}')
    lines, summary = judged.file()
    assert [line["outcome"] for line in lines] == ["left", "left"]
    assert hidden.exists()
    assert other.exists()
    assert summary["counts"] == {"left in the inbox": 2}


def test_an_inbox_that_is_named_by_a_link_holds_the_photos_of_that_name(judged: JudgedPhotos, tmp_path: Path) -> None:
    judged.photo("far/a.jpg")
    (tmp_path / "link").symlink_to(judged.inbox)
    judged.rows[0]["path"] = str(tmp_path / "link/far/a.jpg")
    judged.file("--inbox", tmp_path / "link")
    assert judged.tree() == ["red/far/a.jpg"]


def test_a_layout_by_date_reads_it_from_the_photo(judged: JudgedPhotos) -> None:
    from PIL import Image

    image = Image.new("RGB", (40, 40), "red")
    exif = image.getexif()
    exif[306] = "2019:07:14 10:11:12"
    image.save(judged.inbox / "a.jpg", exif=exif)
    judged.judge(judged.inbox / "a.jpg")
    judged.photo("plain.jpg")
    judged.file("--layout", "{label}/{date:%Y}/{name}")
    assert judged.tree() == ["red/2001/plain.jpg", "red/2019/a.jpg"]


def test_a_companion_that_a_kill_left_behind_follows_its_photo(judged: JudgedPhotos) -> None:
    judged.photo("a.jpg")
    judged.file()
    write(judged.inbox / "a.xmp", b"<x/>")
    _, summary = judged.file()
    assert judged.tree() == ["red/a.jpg", "red/a.xmp"]
    assert (summary["before"], summary["counts"]) == (1, {"companion files": 1})


def test_a_class_folder_that_cannot_be_used_keeps_its_photos_alone(judged: JudgedPhotos) -> None:
    write(judged.output / "red", b"a file")
    stays = judged.photo("a.jpg", "red")
    judged.photo("b.jpg", "green")
    _, summary = judged.file(code=1)
    assert stays.read_bytes() == unique("red", 1)
    assert (summary["not_yet"], summary["counts"]) == (1, {"green": 1})


class Meanwhile(Report):
    """Reports, and lets something happen once the first batch is filed."""

    def __init__(self, output: Path, happens: Callable[[], object]) -> None:
        super().__init__(output, as_json=True, quiet=False)
        self._happens = happens
        self.said: list[str] = []

    def photos(self, photos: list[Photo]) -> None:
        super().photos(photos)
        self._happens()

    def say(self, sentence: str, level: Level = Level.WARNING, /) -> None:
        self.said.append(sentence)


@pytest.mark.parametrize("why", ["signal", "marker"])
def test_a_signal_or_an_output_that_goes_away_ends_it_and_the_next_call_goes_on(judged: JudgedPhotos, why: str) -> None:
    for number in range(2 * TOGETHER + 10):
        judged.photo(f"{number}.jpg", LABELS[number % 3])
    before, marker = contents(judged.inbox), judged.output / ".phototriage"
    happens = partial(marker.unlink, missing_ok=True) if why == "marker" else partial(os.kill, os.getpid(), SIGTERM)
    report = Meanwhile(judged.output, happens)
    wanted = Wanted(judged.inbox, judged.output, DEFAULT_LAYOUT, FilingOptions())
    with closing(report):
        assert not file_results(judged.publish(), wanted, report)
    assert len(judged.tree()) == TOGETHER
    assert report.cut_short
    assert [sentence for sentence in report.said if sentence.startswith("filing stopped: ")] or why == "signal"
    assert contents(judged.inbox, judged.output) == before
    _, summary = judged.file()
    assert (summary["before"], len(judged.tree())) == (TOGETHER, 2 * TOGETHER + 10)
    assert contents(judged.output) == before
    assert len(set(judged.ledger_rows("batch"))) == 2

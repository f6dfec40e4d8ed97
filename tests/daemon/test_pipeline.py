"""A photo's whole way in one process: inotify, files, SQLite and onnxruntime are real."""

import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from contract.geometry import Geometry, Pixels
from contract.labels import OTHER
from contract.session import open_model
from daemon.classify.loaded_model import LoadedModel, rules_of
from daemon.decode.decode import decode
from daemon.decode.guard import Guard
from daemon.decode.workers import DecodePool
from daemon.files.companion_names import WAITS
from daemon.filing.filer import Filer
from daemon.intake.filters import PathFilter
from daemon.intake.intake import Intake
from daemon.intake.settle import QUIET_S
from daemon.ledger.ledger import Ledger
from daemon.models.active import ActiveModel
from daemon.photo import Found, Outcome, Photo, Read
from daemon.pipeline import FILE_TOGETHER, Pipeline
from daemon.process.clock import Clock
from daemon.words.active import ActiveWords
from daemon.words.word import Word
from daemon.words.words import Words
from tests.colour_model import LABELS
from tests.daemon.support import (
    descriptors,
    digest,
    encoded,
    model,
    opened_guard,
    opened_ledger,
    photo_of,
    plain,
    roots,
    rules,
    saying,
    tree,
    unique,
    wait_until,
    write,
)
from tests.daemon.swap import NEW, OLD


class House:
    """A pipeline over two folders, and what it reported."""

    def __init__(
        self, folder: Path, ledger: Ledger, guard: Guard, *, watch: bool, give_up_after_s: float, decode_pool: bool
    ) -> None:
        self.inbox, self.output = roots(folder)
        self.said: list[str] = []
        self.done: list[Photo] = []
        self.after: Callable[[Photo], None] = lambda _: None
        clock = Clock()
        intake = Intake(
            PathFilter(self.inbox), clock, saying(self.said), watch=watch, quiet_s=min(QUIET_S, give_up_after_s)
        )
        judged_by = rules(give_up_after_s=give_up_after_s)
        filer = Filer(self.output, ledger, clock)
        self.models = ActiveModel(LoadedModel(model(), judged_by))
        self.words = ActiveWords()
        self.guard = guard
        children = DecodePool(guard.journal, guard.budget, eager=True, say=self.said.append) if decode_pool else None
        self.pipeline = Pipeline(
            intake, self.models, filer, guard, clock, cores=2, done=self._note, words=self.words, decode_pool=children
        )
        self.error: BaseException | None = None

    def _note(self, photos: list[Photo]) -> None:
        for photo in photos:
            self.done.append(photo)
            self.after(photo)

    def names(self, outcome: Outcome = Outcome.FILED) -> list[str]:
        return sorted(photo.path.name for photo in self.done if photo.filing.outcome is outcome)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the pipeline in a thread of its own; stops it at the end."""

        def run() -> None:
            try:
                self.pipeline.run()
            except BaseException as error:  # noqa: BLE001 - kept for the test to look at
                self.error = error

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            self.pipeline.stop()
            thread.join()


@contextmanager
def house(
    folder: Path, *, watch: bool = False, give_up_after_s: float = 60.0, decode_pool: bool = False
) -> Iterator[House]:
    with opened_ledger(folder / "ledger") as ledger, opened_guard(folder / "decoding") as guard:
        yield House(folder, ledger, guard, watch=watch, give_up_after_s=give_up_after_s, decode_pool=decode_pool)


def ledger_states(folder: Path) -> dict[str, str]:
    with opened_ledger(folder / "ledger") as ledger:
        rows = ledger._connection.execute("SELECT destination, state FROM photos").fetchall()
    return {os.fsdecode(destination): state for destination, state in rows}


def test_one_pass_files_everything_under_its_class_and_ends(tmp_path: Path) -> None:
    with house(tmp_path) as one:
        photos = {f"{number}.jpg": unique(LABELS[number % 3], number) for number in range(3 * FILE_TOGETHER)}
        for name, data in photos.items():
            write(one.inbox / name, data)
        one.pipeline.run(once=True)
        filed = {f"{LABELS[int(Path(name).stem) % 3]}/{name}": data for name, data in photos.items()}
        assert tree(one.output) == filed
        assert tree(one.inbox) == {}
        assert one.names() == sorted(photos)
        assert {"wait", "read", "decode", "infer", "file", "total"} <= set(one.done[0].times_ms)
    assert ledger_states(tmp_path) == {str(one.output / name): "filed" for name in filed}


def test_what_a_person_says_while_photos_flow_decides_where_the_same_photo_goes(tmp_path: Path) -> None:
    with house(tmp_path, watch=True) as one, one.running():
        write(one.inbox / "before.jpg", plain("red"))
        wait_until(lambda: len(one.done) == 1, "the first photo")
        one.words.current = Words([Word("sunsets", digest(plain("red"))), Word(OTHER, digest(plain("blue")))])
        for name, colour in (("after", "red"), ("none", "blue"), ("other", "green")):
            write(one.inbox / f"{name}.jpg", plain(colour))
        wait_until(lambda: len(one.done) == 4, "all photos")
    assert sorted(tree(one.output)) == ["_review/none.jpg", "green/other.jpg", "red/before.jpg", "sunsets/after.jpg"]
    with opened_ledger(tmp_path / "ledger") as ledger:
        rows = ledger._connection.execute("SELECT destination, label, reason, review_reason FROM photos").fetchall()
    told = {Path(os.fsdecode(row[0])).stem: tuple(row)[1:] for row in rows}
    assert told == {
        "before": ("red", "", ""), "other": ("green", "", ""),
        "after": ("red", "known: a person put this very photo under sunsets", ""),
        "none": ("blue", "known: a person said that this very photo is of none of the classes", "unfamiliar"),
    }  # fmt: skip


def test_an_empty_inbox_is_a_pass_too_and_nothing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.pipeline.LOOK_UP_S", 3600.0)
    with house(tmp_path) as one:
        one.pipeline.run(once=True)
        assert one.done == []


def test_what_arrives_while_it_runs_is_filed_however_it_arrives(tmp_path: Path) -> None:
    with house(tmp_path, watch=True) as one:
        write(one.inbox / "before.jpg", plain("red"))
        with one.running():
            wait_until(lambda: len(one.done) == 1, "the photo that was there")
            write(one.inbox / "written.jpg", plain("green"))
            write(tmp_path / "b", plain("blue")).rename(one.inbox / "moved.jpg")
            os.link(write(tmp_path / "c", plain("red")), one.inbox / "linked.jpg")
            wait_until(lambda: len(one.names()) == 4, "the others")
        assert sorted(tree(one.output)) == ["blue/moved.jpg", "green/written.jpg", "red/before.jpg", "red/linked.jpg"]
        assert (one.said, one.error) == ([], None)


def test_a_slow_writer_is_waited_for_and_its_photo_filed_whole(tmp_path: Path) -> None:
    photo = plain("green", 200)
    with house(tmp_path, watch=True) as one, one.running(), (one.inbox / "slow.jpg").open("wb") as file:
        for start in range(0, len(photo), 500):
            file.write(photo[start : start + 500])
            file.flush()
            write(one.inbox / f"{start}.jpg", plain("red"))
            wait_until(lambda: (one.output / "red" / f"{start}.jpg").exists(), "another photo, meanwhile")  # noqa: B023
        file.close()
        wait_until(lambda: "slow.jpg" in one.names(), "the slow one")
        assert (one.output / "green" / "slow.jpg").read_bytes() == photo


def test_a_new_file_under_the_name_of_one_just_filed_is_filed_beside_it(tmp_path: Path) -> None:
    with house(tmp_path, watch=True) as one, one.running():
        for number in range(5):
            write(tmp_path / "new", unique("red", number)).rename(one.inbox / "a.jpg")
            wait_until(lambda: len(one.names()) == number + 1, "the next of that name")  # noqa: B023
        wanted = {f"red/a{number}.jpg" for number in ("", "-1", "-2", "-3", "-4")}
        assert set(tree(one.output)) == wanted
        assert set(tree(one.output).values()) == {unique("red", number) for number in range(5)}


def test_files_dropped_over_each_other_without_a_pause_leave_none_half_and_the_last_one_filed(tmp_path: Path) -> None:
    with house(tmp_path, watch=True) as one, one.running():
        for number in range(200):
            write(tmp_path / "new", unique("red", number)).rename(one.inbox / "a.jpg")
        last = unique("red", 199)
        wait_until(lambda: last in tree(one.output).values(), "the last one")
        assert set(tree(one.output).values()) <= {unique("red", number) for number in range(200)}
        assert len(set(tree(one.output).values())) == len(tree(one.output))


def test_a_stop_finishes_what_is_under_way_and_leaves_the_rest(tmp_path: Path) -> None:
    with house(tmp_path) as one:
        photos = {f"{number}.jpg": unique("red", number) for number in range(1000)}
        for name, data in photos.items():
            write(one.inbox / name, data)
        one.after = lambda _: one.pipeline.stop()
        one.pipeline.run(once=True)
        filed = {Path(name).name: data for name, data in tree(one.output).items()}
        assert 0 < len(filed) < 1000
        assert filed | tree(one.inbox) == photos
        assert len(filed) + len(tree(one.inbox)) == 1000
        assert one.names() == sorted(filed)
    assert set(ledger_states(tmp_path)) == {str(one.output / "red" / name) for name in filed}


@pytest.mark.parametrize(
    "where", ["daemon.pipeline.decode_here", "daemon.classify.judging.classify", "daemon.filing.plan.give_names"]
)
def test_a_stage_that_breaks_ends_the_run_with_its_error_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(where, broken)
    with house(tmp_path) as one:
        photos = {f"{number}.jpg": unique("red", number) for number in range(100)}
        for name, data in photos.items():
            write(one.inbox / name, data)
        with pytest.raises(RuntimeError, match="a fault of ours"):
            one.pipeline.run(once=True)
        assert tree(one.inbox) == photos


def test_photos_that_vanish_are_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from daemon import pipeline

    real = pipeline.decode_here  # type: ignore[attr-defined]

    def vanishing(found: Found, *rest: Any, **named: Any) -> Read:
        if found.path.name.startswith("gone"):
            found.path.unlink()
        return real(found, *rest, **named)

    monkeypatch.setattr(pipeline, "decode_here", vanishing)
    with house(tmp_path) as one:
        for name in ("gone 1.jpg", "gone 2.jpg", "stays.jpg"):
            write(one.inbox / name, plain("blue"))
        one.pipeline.run(once=True)
        assert tree(one.output) == {"blue/stays.jpg": plain("blue")}
        assert one.names(Outcome.GONE) == ["gone 1.jpg", "gone 2.jpg"]


def test_one_bad_photo_does_not_touch_the_others(tmp_path: Path) -> None:
    with house(tmp_path, give_up_after_s=0.2) as one:
        write(one.inbox / "bad.jpg", plain("red")[:400])
        for number in range(10):
            write(one.inbox / f"{number}.jpg", plain("green"))
        one.pipeline.run(once=True)
        assert one.names(Outcome.FAILED) == ["bad.jpg"]
        assert len(one.names()) == 10
        assert set(tree(one.output / "_failed")) == {"bad.jpg", "bad.jpg.why.txt"}


def test_neither_threads_nor_descriptors_nor_names_grow_over_two_thousand_photos(tmp_path: Path) -> None:
    with house(tmp_path, watch=True) as one:
        seen: list[tuple[int, int]] = []
        photo = write(tmp_path / "photo", plain("red"))

        def drop(first: int, count: int) -> None:
            for number in range(first, first + count):
                os.link(photo, tmp_path / "one")
                (tmp_path / "one").rename(one.inbox / f"{number}.jpg")
            wait_until(lambda: len(one.done) >= first + count, "all of them")
            seen.append((threading.active_count(), descriptors()))

        with one.running():
            drop(0, 100)
            drop(100, 1900)
        assert len(tree(one.output)) == 2000
        assert seen[1][0] == seen[0][0]
        assert seen[1][1] <= seen[0][1] + 2
        assert one.pipeline._under_way == {}
        assert one.pipeline._intake._under_way == {}
        assert one.pipeline._intake._retries._known == {}


class Held:
    """In the place of the process that decodes alone: gives red pictures, none before it is let go."""

    def __init__(self, guard: Guard) -> None:
        self.go = threading.Event()
        self.asked: list[str] = []
        self._guard = guard

    def decode_isolated(
        self, found: Found, _descriptor: int, geometry: Geometry, *, dated: bool
    ) -> tuple[Pixels, datetime | None]:
        assert not dated
        self.asked.append(found.path.name)
        while not self.go.wait(0.01):
            self._guard.check_stopped()
        self._guard.check_stopped()
        return np.full((geometry.size_px, geometry.size_px, 3), (255, 0, 0), np.uint8), None


@cache
def large() -> bytes:
    """Return a picture of more than 24 megapixels."""
    return encoded(Image.new("L", (5000, 5000)), "PNG", compress_level=1)


@pytest.mark.parametrize("kind", ["large", "large, in children", "suspect"])
def test_what_is_decoded_alone_holds_up_no_other_photo_however_many_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    data = plain("red") if kind == "suspect" else large()
    with house(tmp_path, watch=True, decode_pool=kind.endswith("children")) as one:
        held = Held(one.guard)
        monkeypatch.setattr(one.guard, "decode_isolated", held.decode_isolated)
        monkeypatch.setattr(one.pipeline, "_room", 4)  # which they would fill
        monkeypatch.setattr("daemon.pipeline.LOOK_UP_S", 3600.0)
        names = [f"{number}.png" for number in range(8)]
        for name in names:
            write(one.inbox / name, data + name.encode(), mtime_s=1e9)
            if kind == "suspect":
                one.guard.journal.begin(one.inbox / name, here=False)
                one.guard.journal.end(one.inbox / name, cleared=False, died=True)
        with one.running():
            wait_until(lambda: one.pipeline._isolated.count() == 8, "all to wait for their turn")
            for number in range(3):  # one after the other, announced
                write(tmp_path / "new", unique("blue", number)).rename(one.inbox / f"small {number}.jpg")
                wait_until((one.output / "blue" / f"small {number}.jpg").exists, "the small one")
            for number in range(3, 9):  # found by a scan, more than there is room for
                write(one.inbox / f"small {number}.jpg", unique("blue", number), mtime_s=1e9)
            wait_until(lambda: len(one.names()) == 9, "those that were found")
            assert len(held.asked) == 1
            held.go.set()
            wait_until(lambda: len(one.names()) == 17, "the large ones")
        assert sorted(held.asked) == names
        filed = [photo.path.name for photo in one.done if photo.path.suffix == ".png"]
        assert filed == held.asked
        assert one.pipeline._isolated.count() == 0


def test_a_stop_leaves_all_that_wait_to_be_decoded_alone_and_fails_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house(tmp_path, watch=True, give_up_after_s=0.0) as one:
        held = Held(one.guard)
        monkeypatch.setattr(one.guard, "decode_isolated", held.decode_isolated)
        photos = {f"{number}.png": large() + bytes([number]) for number in range(4)}
        for name, data in photos.items():
            write(one.inbox / name, data, mtime_s=1e9)
        with one.running():
            wait_until(lambda: one.pipeline._isolated.count() == 4 and bool(held.asked), "all to wait")
        assert (len(held.asked), one.error) == (1, None)
        assert tree(one.inbox) == photos
        assert tree(one.output) == {}
        assert one.names(Outcome.AGAIN) == sorted(photos)


def test_more_than_may_wait_aside_take_the_room_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.decode.isolated_queue.MAX_ASIDE", 2)
    with house(tmp_path) as one:
        held = Held(one.guard)
        held.go.set()
        monkeypatch.setattr(one.guard, "decode_isolated", held.decode_isolated)
        monkeypatch.setattr(one.pipeline, "_room", 4)
        for number in range(8):
            write(one.inbox / f"{number}.png", large() + bytes([number]), mtime_s=1e9)
        one.pipeline.run(once=True)
        assert len(one.names()) == 8


def test_photos_that_wait_while_another_model_takes_over_are_read_again_if_it_takes_other_pictures(
    tmp_path: Path,
) -> None:
    old, new = (
        LoadedModel(opened, rules_of(opened, "off")) for opened in (open_model(OLD, "cpu"), open_model(NEW, "cpu"))
    )
    assert old.model.contract.geometry != new.model.contract.geometry
    with house(tmp_path) as one:
        photos = [photo_of(write(one.inbox / f"{colour}.jpg", plain(colour))) for colour in ("red", "green")]
        for photo, loaded in zip(photos, (old, new), strict=True):
            photo.read = decode(photo.found, loaded.model.contract.geometry, 0.0, one.guard)
        one.models.current = new
        one.pipeline._infer(photos)
    assert [photo.judgement.label for photo in photos] == ["rouge", "vert"]
    assert {photo.judgement.model for photo in photos} == {new.model.sha256}
    assert [photo.read.pixels for photo in photos] == [None, None]
    assert [photo.read.sha256 for photo in photos] == [digest(plain("red")), digest(plain("green"))]


def test_companions_are_filed_with_their_photo_and_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from daemon import pipeline

    read: list[str] = []
    real = pipeline.decode_here  # type: ignore[attr-defined]

    def noting(found: Found, *rest: Any, **named: Any) -> Read:
        read.append(found.path.name)
        return real(found, *rest, **named)

    monkeypatch.setattr(pipeline, "decode_here", noting)
    with house(tmp_path) as one:
        for name in ("a.jpg", "a.xmp", "a.MOV", "alone.xmp", "notes.doc"):
            write(one.inbox / name, plain("blue") if name == "a.jpg" else b"of a")
        one.pipeline.run(once=True)
        assert sorted(read) == ["a.jpg", "notes.doc"]
        assert sorted(tree(one.output)) == ["blue/a.MOV", "blue/a.jpg", "blue/a.xmp"]
        stay = {photo.path.name: photo.filing.reason for photo in one.done if photo.filing.outcome is Outcome.LEFT}
        assert stay == {
            "alone.xmp": WAITS, "notes.doc": "neither its name nor its content is that of a photo",
        }  # fmt: skip


def test_photos_keep_no_model_in_memory(tmp_path: Path) -> None:
    with house(tmp_path) as one:
        first = open_model(OLD, "cpu")
        gone = weakref.ref(first.session)
        one.models.current = LoadedModel(first, rules_of(first, "off"))
        write(one.inbox / "a.jpg", plain("red"))
        one.pipeline.run(once=True)
        one.models.current = LoadedModel(model(), rules())
        del first
        gc.collect()
        assert one.done[0].judgement.model == digest(OLD)
        assert gone() is None

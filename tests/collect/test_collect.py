"""A collection: what is kept and what is left out, under which names, and that a killed one goes on."""

import csv
import io
import json
import os
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import phototriage
from collect.errors import CollectError
from collect.keep.collection import SEEN, opened
from collect.run import Collected, Wanted, collect
from collect.sources.candidate import Candidate
from common.child import environment
from common.drawing import draw_scene
from common.sources import SOURCES, read_sources
from tests.collect.web import Server, fetcher, no_wait

LICENCES = ("cc0", "by")


class Named:
    """A source that names candidates of a test's server."""

    name = "test"

    def __init__(self, *found: Candidate) -> None:
        self.found = found

    def leaves(self) -> str:
        """Return nothing."""
        return ""

    def candidates(self) -> Iterator[Candidate]:
        """Yield them."""
        yield from self.found


class Gallery:
    """Photos on a server, each of which becomes a candidate."""

    def __init__(self, web: Server) -> None:
        self._web = web
        self.candidates: list[Candidate] = []

    def show(self, name: str, data: bytes, licence: str = "by") -> Candidate:
        """Serve a file."""
        self._web.routes[f"/{name}"] = lambda handler: handler.reply(data)
        self.candidates.append(Candidate(self._web.url(f"/{name}"), licence, creator="Ann", title=name))
        return self.candidates[-1]

    def draw(self, kind: str, seed: int, licence: str = "by") -> Candidate:
        """Serve a drawn photo."""
        return self.show(f"{kind}-{seed}.jpg", jpeg(draw_scene(kind, seed)), licence)

    def collect(self, wanted: Wanted) -> Collected:
        """Collect what is shown."""
        return collect(wanted, Named(*self.candidates), fetcher(), no_wait, lambda _: None)


@pytest.fixture
def gallery(web: Server) -> Gallery:
    return Gallery(web)


def jpeg(image: Image.Image, quality: int = 90, scale: float = 1) -> bytes:
    file = io.BytesIO()
    size = (round(image.width * scale), round(image.height * scale))
    image.resize(size).save(file, "JPEG", quality=quality)
    return file.getvalue()


def wanted(folder: Path, dataset: Path | None = None, count: int = 100) -> Wanted:
    return Wanted("forest", folder / "collected", dataset, LICENCES, count)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes whose header says that it has side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_photos_are_kept_with_their_rows_and_what_is_none_is_left_out(tmp_path: Path, gallery: Gallery) -> None:
    good = [gallery.draw("forest", 1), gallery.draw("sea", 2, "cc0")]
    gallery.draw("forest", 3, "by-nc")
    gallery.draw("forest", 4, "")
    gallery.show("cut.jpg", jpeg(draw_scene("forest", 5))[:2000])
    gallery.show("page.jpg", b"<html>a page that is called a photo</html>")
    gallery.show("bomb.png", bomb(50_000))
    gallery.show("small.jpg", jpeg(draw_scene("forest", 1), 60, 0.5))
    gallery.candidates.append(good[0]._replace(url=good[0].url + "x"))
    found = gallery.collect(wanted(tmp_path))
    assert (found.kept, found.total, dict(found.licences)) == (2, 2, {"by": 1, "cc0": 1})
    assert found.left_out == {"licence": 2, "unreadable": 2, "not a photo": 1, "near duplicate": 1, "not fetched": 1}
    rows = list(read_sources(tmp_path / "collected" / SOURCES))
    assert [(row.url, row.licence, row.creator, row.found_by) for row in rows] == [
        (each.url, each.licence, "Ann", "test") for each in good
    ]
    photos = list((tmp_path / "collected").glob("collected-*.jpg"))
    assert {sha256(path.read_bytes()).hexdigest() for path in photos} == {row.sha256 for row in rows}
    assert names(tmp_path / "collected") == ["candidates.csv", *sorted(path.name for path in photos), SOURCES]
    assert [path.name[:14] for path in sorted(photos)] == ["collected-0001", "collected-0002"]


def test_photos_of_the_dataset_to_train_or_test_with_are_left_out(tmp_path: Path, gallery: Gallery) -> None:
    for seed, place in enumerate(("train/forest", "seg_test/seg_test/sea", "val/forest")):
        folder = tmp_path / "photos" / place
        folder.mkdir(parents=True)
        draw_scene("forest", seed).save(folder / "own.png")
        gallery.show(f"{seed}.jpg", jpeg(draw_scene("forest", seed), 70, 0.7))
    (tmp_path / "photos" / "train" / "forest" / "broken.jpg").write_bytes(b"none")
    gallery.draw("forest", 9)
    found = gallery.collect(wanted(tmp_path, tmp_path / "photos"))
    assert (found.kept, dict(found.left_out)) == (1, {"in the dataset": 3})


def test_a_photo_that_joins_the_dataset_later_is_known_then(tmp_path: Path, gallery: Gallery) -> None:
    """Of the dataset only the new photo is decoded: the old one is broken by then, and its mark is remembered."""
    folder = tmp_path / "photos" / "forest"
    folder.mkdir(parents=True)
    draw_scene("forest", 1).save(folder / "1.png")
    gallery.draw("forest", 1)
    assert gallery.collect(wanted(tmp_path, tmp_path / "photos")).kept == 0
    times = (folder / "1.png").stat()
    (folder / "1.png").write_bytes(b"x" * times.st_size)
    os.utime(folder / "1.png", ns=(times.st_mtime_ns, times.st_mtime_ns))
    draw_scene("sea", 2).save(folder / "2.png")
    gallery.candidates = []
    gallery.show("again.jpg", jpeg(draw_scene("forest", 1), 80))
    gallery.draw("sea", 2)
    found = gallery.collect(wanted(tmp_path, tmp_path / "photos"))
    assert dict(found.left_out) == {"in the dataset": 2}


def test_a_collection_that_is_begun_again_downloads_nothing_twice(
    tmp_path: Path, web: Server, gallery: Gallery
) -> None:
    for seed in range(4):
        gallery.draw("forest", seed)
    gallery.show("cut.jpg", jpeg(draw_scene("forest", 5))[:2000])
    first = gallery.collect(wanted(tmp_path, count=2))
    assert (first.kept, len(web.asked)) == (2, 2)
    moved = first.order[0].path
    moved.rename(tmp_path / moved.name)
    first.order[1].path.unlink()
    again = gallery.collect(wanted(tmp_path, count=3))
    assert (again.kept, again.total, len(web.asked), len(again.order)) == (1, 3, 3, 1)
    assert gallery.collect(wanted(tmp_path, count=3)).kept == 0
    assert (gallery.collect(wanted(tmp_path)).kept, len(web.asked)) == (1, 5)
    assert gallery.collect(wanted(tmp_path)).left_out == {}
    assert len(web.asked) == 5


def test_a_failure_that_may_pass_is_tried_again_and_one_that_lasts_is_not(
    tmp_path: Path, web: Server, gallery: Gallery
) -> None:
    gallery.draw("forest", 1)
    photo = web.routes["/forest-1.jpg"]
    gallery.show("gone.jpg", b"")
    web.routes["/gone.jpg"] = lambda handler: handler.reply(b"", status=410)
    web.routes["/forest-1.jpg"] = lambda handler: handler.reply(b"", status=502)
    assert gallery.collect(wanted(tmp_path)).left_out == {"not fetched": 2}
    web.routes["/forest-1.jpg"] = photo
    found = gallery.collect(wanted(tmp_path))
    assert (found.kept, dict(found.left_out)) == (1, {})
    assert [path for path, _ in web.asked].count("/gone.jpg") == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from collect.keep import collection
from collect.run import Wanted, collect
from collect.sources.candidate import Candidate
from tests.collect.test_collect import LICENCES, Named
from tests.collect.web import fetcher, no_wait

step, folder, *urls = sys.argv[1:]
done = getattr(collection, step)

def killed(*arguments):
    if step == "_append":
        arguments[0].write(arguments[1][:20])
        arguments[0].flush()
    os.kill(os.getpid(), signal.SIGKILL)

if step == "_append":  # torn in the middle of the row of the first photo, after the head of the table
    def first(*arguments):
        collection._append = killed
        done(*arguments)
    collection._append = first
else:
    setattr(collection, step, killed)
candidates = [Candidate(url, "by") for url in urls]
collect(Wanted("forest", Path(folder), None, LICENCES, 100), Named(*candidates), fetcher(), no_wait, print)
"""


@pytest.mark.parametrize(("step", "downloads"), [("_append", 4), ("_give_name", 3)])
def test_a_collection_that_is_killed_at_any_step_goes_on(
    tmp_path: Path, root: Path, web: Server, gallery: Gallery, step: str, downloads: int
) -> None:
    for seed in range(3):
        gallery.draw("forest", seed)
    where = wanted(tmp_path)
    words = [step, str(where.output), *(each.url for each in gallery.candidates)]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *words], cwd=root, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert list(where.output.glob("collected-*")) == []
    assert len(list(where.output.glob(".*.part"))) == 1
    found = gallery.collect(where)
    assert (found.total, len(found.order), len(web.asked)) == (3, 3, downloads)
    assert len({row.sha256 for row in read_sources(where.output / SOURCES)}) == 3
    assert list(where.output.glob(".*.part")) == []


def test_two_collections_do_not_write_to_one_folder(tmp_path: Path, gallery: Gallery) -> None:
    with opened(tmp_path / "collected"), pytest.raises(CollectError, match="Another collection writes"):
        gallery.collect(wanted(tmp_path))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, gallery: Gallery) -> None:
    (tmp_path / "collected").write_text("a file")
    with pytest.raises(CollectError, match="cannot be written"):
        gallery.collect(wanted(tmp_path))


def test_candidates_lie_in_the_order_of_their_likeness_and_those_of_another_class_last(
    tmp_path: Path, gallery: Gallery
) -> None:
    for kind in ("forest", "sea"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for seed in range(4):
            draw_scene(kind, seed).save(tmp_path / "photos" / kind / f"{seed}.png")
    gallery.draw("sea", 11)
    gallery.draw("forest", 12)
    gallery.draw("forest", 13)
    found = gallery.collect(wanted(tmp_path, tmp_path / "photos"))
    with (tmp_path / "collected" / "candidates.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [one.path.name for one in found.order]
    assert [row["more_like"] for row in rows] == ["", "", "sea"]
    by_url = {row.sha256[:12]: row.url for row in read_sources(tmp_path / "collected" / SOURCES)}
    assert [by_url[row["file"][15:27]].rpartition("/")[2][:3] for row in rows] == ["for", "for", "sea"]


def test_a_class_without_photos_has_what_is_unlike_the_others_last(tmp_path: Path, gallery: Gallery) -> None:
    gallery.draw("sea", 1)
    for seed in range(2, 6):
        gallery.draw("forest", seed)
    last = gallery.collect(wanted(tmp_path)).order[-1].path
    assert {row.sha256[:12]: row.title for row in read_sources(tmp_path / "collected" / SOURCES)}[
        last.name[15:27]
    ] == "sea-1.jpg"


def test_a_source_that_names_no_end_is_not_followed_for_ever(tmp_path: Path, gallery: Gallery) -> None:
    source = Named(*(Candidate(f"https://photos.test/{number}", "by-nc") for number in range(1000)))
    found = collect(wanted(tmp_path, count=2), source, fetcher(), no_wait, lambda _: None)
    assert found.left_out == {"licence": 40}


def test_what_was_kept_before_a_source_failed_is_in_order(tmp_path: Path, gallery: Gallery) -> None:
    gallery.draw("forest", 1)

    class Failing(Named):
        def candidates(self) -> Iterator[Candidate]:
            yield from self.found
            raise CollectError("it fails")

    with pytest.raises(CollectError, match="it fails"):
        collect(wanted(tmp_path), Failing(*gallery.candidates), fetcher(), no_wait, lambda _: None)
    assert [name[:14] for name in names(tmp_path / "collected")][1] == "collected-0001"


Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Run `phototriage collect` with a list of one URL that leads to this machine."""
    (tmp_path / "urls.jsonl").write_text('{"url": "https://127.0.0.1/a.jpg", "licence": "by"}\n')
    (tmp_path / "photos" / "forest").mkdir(parents=True)

    def run(*words: str | Path, source: str = f"list:{tmp_path / 'urls.jsonl'}", **more: str) -> Result:
        arguments = ["collect", "forest", "--from", source, *map(str, words)]
        return CliRunner().invoke(phototriage.cli, arguments, **more)  # type: ignore[arg-type]

    return run


def test_the_command_says_what_leaves_the_machine_and_asks(tmp_path: Path, call: Call) -> None:
    done = call("--dataset", tmp_path / "photos", "--contact", "me@example.org", input="n\n")
    assert done.exit_code == 1
    assert "1 host is asked for photos: 127.0.0.1." in done.stderr
    assert "(me@example.org)" in done.stderr
    assert "Go on?" in done.stderr
    assert not (tmp_path / "collected").exists()
    done = call("--dataset", tmp_path / "photos", input="n\n", source="openverse")
    assert "The query 'forest' goes to api.openverse.org" in done.stderr


def test_the_command_refuses_this_machine_and_prints_json(tmp_path: Path, call: Call) -> None:
    done = call("--dataset", tmp_path / "photos", "--yes", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told == {
        "output": str(tmp_path / "collected" / "forest"), "kept": 0, "collected": 0, "licences": {}, "candidates": [],
        "left_out": {"not fetched": 1},
    }  # fmt: skip
    assert "no public address" in call("--dataset", tmp_path / "photos", "--yes").stdout
    assert names(tmp_path / "photos") == ["forest"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Pass --dataset"),
        (("--dataset", "missing"), "is not a folder"),
        (("--dataset", "photos", "--output", "photos/forest"), "lies in photos"),
        (("--dataset", "photos", "--licence", "by,free"), "free is no licence"),
        (("--dataset", "photos", "--contact", "a\nb"), "--contact is no mail address"),
        (("--dataset", "photos", "--count", "0"), "--count"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(*words, "--yes")
    assert done.exit_code in (1, 2)
    assert says in done.stderr


def test_a_damaged_note_costs_a_download_and_no_more(tmp_path: Path, web: Server, gallery: Gallery) -> None:
    gallery.draw("forest", 1)
    gallery.collect(wanted(tmp_path))
    seen = tmp_path / "collected" / SEEN
    (note,) = map(json.loads, seen.read_text().splitlines())
    assert (note["url"], note["outcome"]) == (gallery.candidates[0].url, "kept")
    seen.write_text('x\n[]\n{"url": "a", "fingerprint": "00"}\n')
    found = gallery.collect(wanted(tmp_path))
    assert (found.total, len(found.order), len(web.asked)) == (1, 1, 2)

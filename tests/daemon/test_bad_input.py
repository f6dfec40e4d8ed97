"""Everything that lands in an inbox in real life, through the real commands: where it ends, and what is said."""

import os
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.colour_model import LABELS
from tests.contract.heif_files import sample
from tests.contract.photos import turned_exif
from tests.daemon.support import (
    DEADLINE_S,
    ROOT,
    Daemon,
    command,
    daemon,
    encoded,
    environment,
    model_file,
    plain,
    run,
    tree,
    unique,
    write,
)

INBOX = "the inbox"
ANY = "any class"


@dataclass(frozen=True)
class Case:
    """One file: what it is called and holds, where it must end, and a part of what is said of it."""

    name: str
    make: Callable[[], bytes]
    place: str
    said: str = ""


def half_transparent() -> bytes:
    image = Image.new("RGBA", (40, 40), (255, 0, 0, 255))
    ImageDraw.Draw(image).rectangle((0, 0, 39, 4), (0, 0, 0, 0))
    return encoded(image.quantize(8), "PNG")


def animated(pillow_format: str, first: str) -> bytes:
    more = [Image.new("RGB", (40, 40), "black")] * 2
    return encoded(Image.new("RGB", (40, 40), first), pillow_format, save_all=True, append_images=more, lossless=True)


def huge_header() -> bytes:
    """Return a PNG that says it has 30,000 x 30,000 pixels and holds none."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header) - 4) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


@cache
def large() -> bytes:
    return encoded(Image.new("L", (20_000, 10_000), 200), quality=10)


CASES = [
    Case("empty.jpg", bytes, "_failed", "empty: the file is empty"),
    Case("text.jpg", lambda: b"this is a text\n", "_failed", "not-a-photo"),
    Case("notes.doc", lambda: b"this is a text\n", INBOX, "neither its name nor its content is that of a photo"),
    Case("truncated.jpg", lambda: plain("red", 200)[:700], "_failed", "truncated"),
    Case("huge.png", huge_header, "_failed", "too-large: 30000 x 30000"),
    Case("200 megapixels.jpg", large, ANY),
    Case("cmyk.jpg", lambda: encoded(Image.new("CMYK", (40, 40), (0, 255, 255, 0))), "red"),
    Case("grey.jpg", lambda: encoded(Image.new("L", (40, 40), 99)), ANY),
    Case("palette with alpha.png", half_transparent, "red"),
    Case("16 bit.png", lambda: encoded(Image.new("I;16", (40, 40), 40_000), "PNG"), ANY),
    Case("rotated.jpg", lambda: encoded(Image.new("RGB", (60, 30), "blue"), exif=turned_exif(6)), "blue"),
    Case("animated.gif", lambda: animated("GIF", "lime"), "green"),
    Case("animated.webp", lambda: animated("WEBP", "blue"), "blue"),
    Case("IMG_0001.HEIC", lambda: sample("scene"), ANY),
    Case("IMG_0002.HEIC", lambda: sample("ten-bit"), ANY),
    Case("IMG_0003.HEIC", lambda: unique("blue", 7), "blue"),
    Case("heic.jpg", lambda: sample("quarter-1"), ANY),
    Case("cut.heic", lambda: sample("scene")[:5000], "_failed", "truncated"),
    Case("broken.heic", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "_failed", "corrupt"),
    Case(os.fsdecode(b"caf\xe9.jpg"), lambda: unique("red", 1), "red"),
    Case("x" * 251 + ".jpg", lambda: unique("red", 2), "red"),
    Case("é" * 126 + "abc", lambda: unique("green", 3), "green"),
    Case("escape \x1b[31m\x07\n.jpg", lambda: unique("green", 4), "green"),
    Case("-rf $(touch x) '\".jpg", lambda: unique("blue", 5), "blue"),
    Case("photo without a name", lambda: unique("blue", 6), "blue"),
]
OTHERS = {"link.jpg", "dangling.jpg", "fifo.jpg", "folder.jpg"}


def fill(inbox: Path, folder: Path) -> None:
    """Put every case into the inbox, and beside them what is no file at all."""
    for case in CASES:
        write(inbox / case.name, case.make())
    (inbox / "link.jpg").symlink_to(write(folder / "linked.jpg", plain("red")))
    (inbox / "dangling.jpg").symlink_to("nowhere")
    os.mkfifo(inbox / "fifo.jpg")
    (inbox / "folder.jpg").mkdir()
    write(inbox / "folder.jpg" / "inside.jpg", plain("red"))


def check_places(inbox: Path, output: Path) -> None:
    """Hold both trees against the table: each file whole, in its one place, and nothing besides."""
    left = {case.name for case in CASES if case.place == INBOX}
    assert {entry.name for entry in inbox.iterdir()} == left | OTHERS | {".phototriage"}
    assert (inbox / "folder.jpg" / "inside.jpg").read_bytes() == plain("red")
    filed = tree(output)
    for case in CASES:
        places = [INBOX] if case.place == INBOX else list(LABELS) if case.place == ANY else [case.place]
        found = [place for place in places if filed.pop(f"{place}/{case.name}", None) == case.make()]
        assert found or (inbox / case.name).read_bytes() == case.make(), case.name
        if case.place == "_failed":
            assert case.said in filed.pop(f"_failed/{case.name}.why.txt").decode()
    assert filed == {}


@pytest.fixture
def options(tmp_path: Path) -> tuple[str | Path, ...]:
    (tmp_path / "in").mkdir()
    given = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    return (*given, "--give-up-after", "0.5")


def test_one_pass_puts_everything_in_its_place_and_shows_no_name_raw(
    tmp_path: Path, options: tuple[str | Path, ...]
) -> None:
    fill(tmp_path / "in", tmp_path)
    done = run("sort", *options, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    check_places(tmp_path / "in", tmp_path / "out")
    assert "\x1b" not in done.stdout + done.stderr
    assert "\x07" not in done.stdout + done.stderr
    assert r"escape \x1b[31m\x07\x0a.jpg -> green" in done.stdout
    assert r"caf\xe9.jpg -> red" in done.stdout
    for case in CASES:
        if case.place in ("_failed", INBOX):
            assert case.said in done.stdout
    moved = sum(case.place != INBOX for case in CASES)
    assert f"sorted {moved} photos in " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_watch_puts_everything_in_its_place_and_lives_on(tmp_path: Path, options: tuple[str | Path, ...]) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    with daemon(*options) as one:
        one.ready()
        fill(inbox, tmp_path)
        final = {"filed", "failed", "left"}
        missing = {case.name for case in CASES}
        while missing:
            event = one.until(lambda event: event["event"] == "photo", f"the fate of {missing}")
            if event["outcome"] in final:
                missing.discard(Path(event["path"]).name)
        check_places(inbox, output)
        twice_under_one_name(one, inbox, output)
        growing(one, inbox, output)
        assert one.stop(signal.SIGTERM) == 0
        assert one.events[-1]["event"] == "summary"
        assert all(line.startswith("photos in folders of the inbox are left alone: ") for line in one.errors)


def twice_under_one_name(one: Daemon, inbox: Path, output: Path) -> None:
    for number in (1, 2):
        write(inbox.parent / "new", unique("red", 70 + number)).rename(inbox / "same.jpg")
        one.photos({"same.jpg"})
    assert (output / "red" / "same.jpg").read_bytes() == unique("red", 71)
    assert (output / "red" / "same-1.jpg").read_bytes() == unique("red", 72)


def growing(one: Daemon, inbox: Path, output: Path) -> None:
    """Write a photo in pieces; each piece is there for long enough to be looked at, and none is filed."""
    photo = plain("blue", 300)
    with (inbox / "growing.jpg").open("wb") as file:
        for number in range(4):
            start = number * 200
            file.write(photo[start : start + 200])
            file.flush()
            write(inbox / f"meanwhile {number}.jpg", unique("green", 80 + number))
            one.photos({f"meanwhile {number}.jpg"})
            assert (inbox / "growing.jpg").exists()
        file.write(photo[800:])
    one.until(
        lambda event: event.get("outcome") == "filed" and event["path"].endswith("growing.jpg"), "the whole photo"
    )
    assert (output / "blue" / "growing.jpg").read_bytes() == photo


@pytest.mark.parametrize("layout", ["{label}/{name}", "{label}/{date:%Y}/{name}"])
@pytest.mark.parametrize("across", [False, True], ids=["one file system", "two file systems"])
def test_photos_of_a_time_that_no_calendar_has_are_filed_like_others(
    tmp_path: Path, elsewhere: Path, across: bool, layout: str
) -> None:
    """Such a time ended each start: 64 bits of nanoseconds do not hold it, and file systems in memory and Btrfs do."""
    inbox, output = elsewhere / "in", (tmp_path if across else elsewhere) / "out"
    inbox.mkdir()
    for number, time_s in enumerate((10**12, -(10**12), 9_223_372_037, 5 * 10**9)):
        write(inbox / f"{number}.jpg", unique("red", number), mtime_s=time_s)
    words = ("--inbox", inbox, "--output", output, "--model", model_file(tmp_path), "--layout", layout)
    done = run("sort", *words, env={"STATE_DIRECTORY": str(tmp_path / "state")})
    assert done.returncode == 0, done.stderr
    assert {path.name for path in output.rglob("*.jpg")} == {f"{number}.jpg" for number in range(4)}, done.stderr
    assert not list(inbox.glob("*.jpg"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_over_an_empty_inbox_ends_with_zero_on_a_signal(
    options: tuple[str | Path, ...], number: signal.Signals
) -> None:
    with daemon(*options) as one:
        one.ready()
        assert one.stop(number) == 0
        assert (one.events[-1]["event"], one.errors) == ("summary", [])


@pytest.mark.parametrize("where", ["a pipe that nobody reads", "a full disk"])
def test_lines_that_cannot_be_written_do_not_end_the_filing(
    tmp_path: Path, options: tuple[str | Path, ...], where: str
) -> None:
    photos = {f"{number}.jpg": unique("red", number) for number in range(100)}
    for name, data in photos.items():
        write(tmp_path / "in" / name, data)
    if where == "a full disk":
        out = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, out = os.pipe()
        os.close(reader)
    words = command("sort", *options)
    done = subprocess.run(words, stdout=out, stderr=subprocess.PIPE, text=True, env=environment(), timeout=DEADLINE_S)
    os.close(out)
    assert tree(tmp_path / "out") == {f"red/{name}": data for name, data in photos.items()}
    assert "sorted 100 photos" in done.stderr
    assert "Traceback" not in done.stderr
    assert where == "a full disk" or (done.returncode, len(done.stderr.splitlines())) == (0, 3)


SCRIPT = """
import sys
from phototriage import cli
cli(sys.argv[1:], standalone_mode=False)
heavy = {"tensorflow", "keras", "onnx", "tf2onnx", "sklearn", "training", "convert", "rich"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def test_the_process_that_files_holds_nothing_that_trains(tmp_path: Path, options: tuple[str | Path, ...]) -> None:
    write(tmp_path / "in" / "a.jpg", plain("red"))
    words = [sys.executable, "-c", SCRIPT, "sort", *map(str, options)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), cwd=ROOT, timeout=60)
    assert done.stderr.splitlines()[-1] == "[]", done.stderr
    assert tree(tmp_path / "out") == {"red/a.jpg": plain("red")}

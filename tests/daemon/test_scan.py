"""The scan sees every regular file of the inbox itself, and nothing else; identities tell the truth."""

import os
import socket
from pathlib import Path

import pytest

from daemon.files.identity import Identity, look_at
from daemon.intake.filters import PathFilter
from daemon.intake.names.uploads import REST_S, STALE_S, rest_s
from daemon.intake.troubles import InboxTroubles, Topic, Troubles
from daemon.intake.walk import MARKER, scan
from daemon.process.log_level import Level


@pytest.mark.parametrize(
    ("name", "temporary"),
    [
        ("IMG_1.jpg", False), ("IMG_1.JPG", False), ("no extension", False), ("a.partial.jpg", False),
        ("a.tmp.jpg", False), (MARKER, True), (".DS_Store", True), ("._IMG_1.jpg", True),
        (".syncthing.a.jpg.tmp", True), (".a.jpg.x9Y2", True), (".trashed-1700000000-a.jpg", True),
        (".pending-1700000000-a.jpg", True), ("~syncthing~a.jpg.tmp", True), ("SYNOFILE_THUMB_M.jpg", True),
        ("a.part", True), ("a.PART", True), ("a.crdownload", True), ("a.tmp", True), ("a.download", True),
        ("~a.jpg", True), ("~$a.jpg", True), ("a.jpg~", True), ("a[1].jpg", False), ("part", False), ("tmp", False),
    ],
)  # fmt: skip
def test_unfinished_and_hidden_names_are_known(name: str, temporary: bool) -> None:
    assert PathFilter(Path("/in")).takes(Path("/in") / name) is not temporary


@pytest.mark.parametrize(
    ("names", "wait_s"),
    [
        # Endings of browsers, sync programs and the like, and what stands before them.
        (
            [
                *("a.jpg.part", "a.JPG.PART", "a.jpg.crdownload", "a.jpg.filepart", "a.jpg.1a2b3c4d.partial"),
                *("a.jpg.tacitpart", "a.jpg.!sync", "a.jpg.bts", "a.jpg.uploading", "a.jpg.upload", "a.jpg.opdownload"),
                *("a.jpg.temp", "a.jpg.incomplete", "a.jpg.inprogress", "a.jpg.unfinished", "a.jpg.!ut", "a.jpg.!qB"),
                *("a.jpg.crswap", "a.jpg_exiftool_tmp", "a.jpg.photosync", "a.jpg.ocTransferId12.part", "a.jpg.lock"),
                *("a.jpg.tmp-upload", "a.xmp.tacitpart", "a.CR3.tacitpart", "a.jpg.xmp.part", "a.heic.tmp"),
            ],
            STALE_S,
        ),
        # Whatever else follows a photo's extension.
        (
            [
                *("a.jpg.aB3dE9", "a.jpg.download.1", "a.jpg (partial)", "a.jpg.1", "a.jpg12345", "a.jpg-6f1c"),
                *("a.jpg_original", "a.tiff#2", "a.jpg.sb-1a2b3c4d-AbCdEf", "a.JPG.Xy", "a.jpg.\n", "a.jpg.part1"),
            ],
            REST_S,
        ),
        (
            [
                *("a.jpg", "a.jpg.jpg", "a.b.jpg", "a.HEIC.jpg", "a.jpg.xmp", "a.jpg.json", "a.part.jpg", "a.1.jpg"),
                *("PXL_1.MP~2", "song.mp3"),
                *("a", "a.jpgx", "jpg.a", "a.tmp", "notes.txt", "a.jpeg", "a.jpg.MOV", "a.jpg.", "a.jpg "),
            ],
            0.0,
        ),
    ],
    ids=["known endings", "the rule", "finished"],
)  # fmt: skip
def test_a_name_that_goes_on_after_a_photos_extension_is_that_of_an_upload(names: list[str], wait_s: float) -> None:
    assert {name: rest_s(name) for name in names} == dict.fromkeys(names, wait_s)


def test_a_scan_yields_regular_files_alone(tmp_path: Path) -> None:
    for name in ("a.jpg", "notes.txt", os.fsdecode(b"caf\xe9.jpg"), "x" * 255, MARKER, ".hidden.jpg", "half.part"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "folder.jpg" / "inside.jpg").write_bytes(b"x")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    os.link(tmp_path / "a.jpg", tmp_path / "hard.jpg")
    os.mkfifo(tmp_path / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fsencode(tmp_path / "socket.jpg"))
    names = {path.name for path in scan(PathFilter(tmp_path))}
    assert names == {"a.jpg", "hard.jpg", "notes.txt", os.fsdecode(b"caf\xe9.jpg"), "x" * 255}
    assert [look_at(tmp_path / name) for name in ("folder.jpg", "link.jpg", "dangling.jpg", "fifo.jpg", "gone")] == [
        None
    ] * 5


def test_a_missing_inbox_is_an_error_and_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(scan(PathFilter(tmp_path / "gone")))


def test_each_change_of_a_file_changes_its_identity(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))
    first = look_at(path)
    assert first == Identity.of(path.stat())
    path.chmod(0o400)
    assert look_at(path) == first  # neither its rights nor its name make another photo of it
    path.chmod(0o600)
    moved = path.rename(tmp_path / "b.jpg")
    assert look_at(moved) == first
    os.utime(moved, ns=(1, 2))
    assert look_at(moved) != first
    moved.write_bytes(b"three")
    os.utime(moved, ns=(1, 1))
    assert look_at(moved) != first
    twin = tmp_path / "c.jpg"
    twin.write_bytes(b"one")
    os.utime(twin, ns=(1, 1))
    assert look_at(twin) != first


def test_a_trouble_is_reported_when_it_begins_and_when_it_ends_and_the_worst_stops_the_intake() -> None:
    said: list[tuple[str, Level]] = []

    def say(sentence: str, level: Level = Level.WARNING, /) -> None:
        said.append((sentence, level))

    troubles = Troubles(say)
    assert troubles.now() == InboxTroubles("", ())
    for _ in range(2):
        troubles.tell(Topic.FOLDERS, "one folder cannot be read")
        troubles.tell(Topic.WATCH, "no watch", "watched again")
        troubles.tell(Topic.SCAN, "the inbox cannot be read", "it can be read")
        troubles.tell(Topic.ROOT, "the mount is missing", "it is back", begin="paused: ")
    assert troubles.now() == InboxTroubles("the mount is missing", ("no watch", "one folder cannot be read"))
    troubles.tell(Topic.ROOT, "", "it is back")
    assert troubles.now().stops == "the inbox cannot be read"
    troubles.tell(Topic.SCAN, "another error")
    troubles.tell(Topic.FOLDERS, "")
    assert troubles.now() == InboxTroubles("another error", ("no watch",))
    first = ("one folder cannot be read", "no watch", "the inbox cannot be read", "paused: the mount is missing")
    assert said == [
        *((sentence, Level.WARNING) for sentence in first),
        ("it is back", Level.NOTICE),
        ("another error", Level.WARNING),
    ]

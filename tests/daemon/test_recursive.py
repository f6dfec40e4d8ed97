"""Folders in the inbox: found, watched from the moment they are made, left as they are; and which are not entered."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.files.marker import MARKER
from daemon.intake.filters import PathFilter
from daemon.intake.intake import Intake
from daemon.intake.passed import PassedFolders
from daemon.intake.settle import Trigger
from daemon.intake.walk import scan
from daemon.intake.watcher import Watcher
from daemon.photo import Photo
from tests.colour_model import LABELS
from tests.daemon.conftest import Stranger
from tests.daemon.support import (
    DEADLINE_S,
    HandClock,
    daemon,
    environment,
    model_file,
    plain,
    run,
    saying,
    tree,
    unique,
    wait_until,
    write,
)

RAW = os.fsdecode(b"caf\xe9")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, data)


def found(path_filter: PathFilter) -> set[str]:
    return {path.relative_to(path_filter.inbox).as_posix() for path in scan(path_filter)}


def test_folders_are_entered_when_asked_for_and_no_link_nor_junk_nor_another_root_is(inbox: Path) -> None:
    wanted = {"a.jpg", "2024/b.jpg", "2024/06/07/c.jpg", f"{RAW}/d.jpg", "emptied/deep/e.jpg"}
    for name in wanted:
        put(inbox / name)
    for name in (
        *(".hidden/a.jpg", "@eaDir/a.jpg", "2024/@eaDir/SYNO.jpg", "#recycle/a.jpg", "$RECYCLE.BIN/a.jpg"),
        *("a/Thumbs.db", "a/desktop.ini", "a/.DS_Store", "a/._b.jpg", "half.part/a.jpg", "_failed/a.jpg"),
        *("_review/a.jpg", "out/red/a.jpg", "another/a.jpg"),
    ):
        put(inbox / name)
    put(inbox / "another" / MARKER)
    (inbox / "link").symlink_to(inbox / "2024")
    (inbox / "2024" / "up").symlink_to("..")
    path_filter = PathFilter(inbox, recursive=True, left_out=[inbox / "out"])
    assert found(path_filter) == wanted
    assert found(PathFilter(inbox)) == {"a.jpg"}


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        (["*.GIF"], {"a.jpg", "raw/a.jpg", "private/a.jpg", "private/x/a.jpg"}),
        (["private"], {"a.jpg", "a.gif", "raw/a.jpg", "raw/b.gif"}),
        (["private/x"], {"a.jpg", "a.gif", "raw/a.jpg", "raw/b.gif", "private/a.jpg"}),
        (["raw/*", "/private/*"], {"a.jpg", "a.gif"}),
        (["[ab].*"], set()),
    ],
)
def test_what_the_user_ignores_is_not_seen(inbox: Path, ignore: list[str], left: set[str]) -> None:
    for name in ("a.jpg", "a.gif", "raw/a.jpg", "raw/b.gif", "private/a.jpg", "private/x/a.jpg"):
        put(inbox / name)
    assert found(PathFilter(inbox, recursive=True, ignore=ignore)) == left


JUNK = (
    *("@eaDir", "@tmp", "@SynoResource", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", "@Transcode"),
    *(".@__thumb", ".zfs", ".recycle", ".Trash-1000", ".stversions", ".sync", ".dropbox.cache", ".dtrash", ".~tmp~"),
    *("$RECYCLE.BIN", "RECYCLER", "Recycled", "System Volume Information", "found.000", "FOUND.013", "lost+found"),
    *("LOST.DIR", "__MACOSX", "Network Trash Folder", "_gsdata_", "_SYNCAPP", "CaptureOne", "iPod Photo Cache"),
    *("Photos Library.photoslibrary", "iPhoto Library.photolibrary", "Aperture.aplibrary", "A Previews.lrdata"),
    *("Photo.lrlibrary", "A.lrcat-data", "A.cocatalog", "files_trashbin", "appdata_oc1a2b", "half.part", "a.download"),
    *("a.jpg.sb-1a2b3c4d-AbCdEf", "(A Document Being Saved By Preview)"),
)
PEOPLES = (
    "Originals",
    "darktable_exported",
    "theater",
    "photoslibrary",
    "found.photos",
    "@home",
    "2024.jpg",
    "aplibrary",
)


def test_folders_of_other_programs_and_devices_are_left_alone_and_those_of_people_are_not(inbox: Path) -> None:
    for name in (*JUNK, *map(str.swapcase, JUNK), *PEOPLES):
        put(inbox / name / "deep" / "a.jpg")
    assert found(PathFilter(inbox, recursive=True)) == {f"{name}/deep/a.jpg" for name in PEOPLES}


@pytest.mark.parametrize("name", [".nomedia", ".noimage"])
def test_a_folder_that_holds_nothing_to_be_shown_is_left_alone_as_long_as_it_says_so(inbox: Path, name: str) -> None:
    put(inbox / name)  # the inbox itself was chosen by its owner
    put(inbox / "open" / "a.jpg")
    put(inbox / "closed" / name)
    put(inbox / "closed" / "inner" / "b.jpg")
    path_filter = PathFilter(inbox, recursive=True)
    assert found(path_filter) == {"open/a.jpg"}
    with intake(inbox) as one:
        one._clock.turn(5.0)  # type: ignore[attr-defined]
        until(one, "a.jpg")
        watcher = one._scanner._watcher
        assert watcher is not None
        assert {folder.name for folder in watcher._descriptor._folders.values()} == {"inbox", "open"}
        put(inbox / "open" / name)
        put(inbox / "open" / "c.jpg")  # at once: neither the watch nor a scan may hand it out
        wait_until(lambda: one.ready(9, 0.1) == [] and len(watcher._descriptor._folders) == 1, "the watch to be gone")
        one._clock.turn(5.0)  # type: ignore[attr-defined]
        assert one.ready(9, 0.0) == []
        for folder in ("open", "closed"):
            (inbox / folder / name).unlink()
        one.hints_lost()
        one.ready(0, 0.0)
        one._clock.turn(5.0)  # type: ignore[attr-defined]
        assert {photo.path.name for photo in one.ready(9, 0.0)} == {"b.jpg", "c.jpg"}


def test_a_tree_of_any_depth_and_breadth_is_read_with_few_open_files(inbox: Path) -> None:
    deep = inbox
    for _ in range(400):
        deep = deep / "d"
        deep.mkdir()
    put(deep / "a.jpg")
    for number in range(300):
        put(inbox / f"{number}" / "b.jpg")
    script = f"""
import resource, sys
from pathlib import Path
from daemon.intake.passed import PassedFolders
from daemon.intake.walk import scan
from daemon.intake.filters import PathFilter
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
print(sum(1 for _ in scan(PathFilter(Path({str(inbox)!r}), recursive=True))))
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True)
    assert done.stdout == "301\n", done.stderr


def test_a_folder_inside_that_may_not_be_read_is_said_once_and_the_others_are_filed(stranger: Stranger) -> None:
    put(stranger.folder / "in" / "closed" / "a.jpg", plain("red"))
    put(stranger.folder / "in" / "open" / "b.jpg", plain("red"))
    (stranger.folder / "in" / "closed").chmod(0)
    options = ("--inbox", stranger.folder / "in", "--output", stranger.folder / "out", "--recursive")
    done = stranger.phototriage("sort", *options, "--model", model_file(stranger.folder))
    (stranger.folder / "in" / "closed").chmod(0o755)
    assert done.stderr.count("left out because they cannot be read: ") == 1
    assert "closed (Permission denied)" in done.stderr
    assert [Path(name).name for name in tree(stranger.folder / "out")] == ["b.jpg"]
    assert tree(stranger.folder / "in") == {"closed/a.jpg": plain("red")}


def test_each_folder_that_is_not_looked_into_is_said_once_with_its_photos_and_not_junk_nor_an_output(
    tmp_path: Path,
) -> None:
    inbox = tmp_path / "in"
    for name in ("@eaDir", ".cache", "out"):
        put(inbox / name / "a.jpg")
    said: list[str] = []
    path_filter = PathFilter(inbox, left_out=[inbox / "out"])
    one = Intake(path_filter, HandClock(), saying(said), watch=False, output=tmp_path / "o p")  # type: ignore[arg-type]

    def scanned() -> list[str]:
        said.clear()
        one.hints_lost()  # so that it scans at once
        assert one.ready(1, 0.0) == []
        return [sentence.removeprefix("photos in folders of the inbox are left alone: ") for sentence in said]

    command = f"To file them too: phototriage sort --inbox {inbox} --output '{tmp_path}/o p' --recursive"
    put(inbox / "#recycle" / "b.jpg")
    (inbox / "empty").mkdir()
    assert scanned() == []
    put(inbox / "holiday" / "b.jpg")
    put(inbox / "holiday" / "day 2" / "c.jpg")
    write(inbox / "holiday" / "c.jpg.xmp", b"x")
    assert scanned() == [f"2 in holiday. {command}"]
    put(inbox / "holiday" / "d.jpg")  # the status counts it, the log is silent
    assert scanned() == []
    assert "3 in holiday" in one.troubles().notes[0]
    put(inbox / "wedding" / "b.jpg")
    (sentence,) = scanned()
    assert sorted(sentence.partition(". ")[0].split(", ")) == ["1 in wedding", "3 in holiday"]
    for number in range(4):
        put(inbox / f"more {number}" / "b.jpg")
    (sentence,) = scanned()
    assert ", " in sentence
    assert " in 3 more. " in sentence
    for folder in inbox.iterdir():
        shutil.rmtree(folder)
    assert scanned() == []
    assert one.troubles().notes == ()
    put(inbox / "holiday" / "b.jpg")
    assert scanned() == [f"1 in holiday. {command}"]
    one.close()


def test_a_daemon_says_to_restart_it_and_counts_no_more_than_it_has_time_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.intake.passed.MOST_FILES", 3)
    passed = PassedFolders(PathFilter(tmp_path), None, watch=True)
    for number in range(5):
        put(tmp_path / "trip" / f"{number}.jpg")
    passed.passed(tmp_path / "trip")
    sentence, is_new = passed.told()
    assert sentence == (
        "photos in folders of the inbox are left alone: 3 or more in trip. "
        "To file them too, restart with --recursive (in a configuration: recursive = true)"
    )
    assert is_new
    assert passed.told() == ("", False)


@contextmanager
def intake(inbox: Path, said: list[str] | None = None) -> Iterator[Intake]:
    """Yield an intake over an inbox with folders; its clock stands still, so that only hints bring anything new."""
    one = Intake(PathFilter(inbox, recursive=True), HandClock(), saying(said or []), watch=True)  # type: ignore[arg-type]
    one.ready(0, 0.0)  # the first scan
    try:
        yield one
    finally:
        one.close()


def until(one: Intake, name: str) -> Photo:
    while True:
        photos = one.ready(1, DEADLINE_S)
        assert photos, f"no hint of {name}"
        if photos[0].path.name == name:
            return photos[0]


def test_what_arrives_in_a_folder_is_announced_also_in_one_that_was_made_later_or_got_another_name(
    inbox: Path, tmp_path: Path
) -> None:
    (inbox / "there").mkdir()
    photo = write(tmp_path / "photo", b"x")
    with intake(inbox) as one:
        os.link(photo, tmp_path / "1")
        (tmp_path / "1").rename(inbox / "there" / "1.jpg")
        assert until(one, "1.jpg").found.relpath == Path("there")
        (inbox / "later" / "deeper").mkdir(parents=True)
        watcher = one._scanner._watcher
        assert watcher is not None
        wait_until(lambda: len(watcher._descriptor._folders) == 4, "the new folders to be watched")
        os.link(photo, tmp_path / "2")
        (tmp_path / "2").rename(inbox / "later" / "deeper" / "2.jpg")
        assert until(one, "2.jpg").found.relpath == Path("later/deeper")
        (inbox / "later").rename(inbox / "renamed")
        wait_until(lambda: inbox / "renamed" / "deeper" in watcher._descriptor._folders.values(), "the new name")
        os.link(photo, tmp_path / "3")
        (tmp_path / "3").rename(inbox / "renamed" / "deeper" / "3.jpg")
        assert until(one, "3.jpg").found.relpath == Path("renamed/deeper")


def test_a_folder_that_is_moved_in_is_looked_into_at_once(inbox: Path, tmp_path: Path) -> None:
    seen: set[tuple[str, Trigger]] = set()

    def note(path: Path, sign: Trigger) -> None:
        seen.add((path.relative_to(inbox).as_posix(), sign))

    for name in ("full/a.jpg", "full/inner/b.jpg", "full/@eaDir/c.jpg", ".hidden/d.jpg"):
        put(tmp_path / name)
    watcher = Watcher(PathFilter(inbox, recursive=True), note, lambda: None)
    try:
        for name in (".hidden", "full"):
            (tmp_path / name).rename(inbox / name)
        wait_until(lambda: len(seen) == 2, "both files")
        assert seen == {("full/a.jpg", Trigger.FOUND), ("full/inner/b.jpg", Trigger.FOUND)}
        put(inbox / "full" / "inner" / "late.jpg")
        wait_until(lambda: ("full/inner/late.jpg", Trigger.CLOSED) in seen, "what came later")
    finally:
        watcher.close()


def test_watches_of_folders_that_are_gone_or_moved_away_are_given_back(inbox: Path, tmp_path: Path) -> None:
    for number in range(20):
        (inbox / f"{number}").mkdir()
    with intake(inbox) as one:
        watcher = one._scanner._watcher
        assert watcher is not None
        assert len(watcher._descriptor._folders) == 21
        for number in range(5):
            (inbox / f"{number}").rmdir()
            (inbox / f"{5 + number}").rename(tmp_path / f"{number}")
        one.hints_lost()  # a scan at once
        one.ready(0, 0.0)
        wait_until(lambda: len(watcher._descriptor._folders) == 11, "the watches to be given back")
        assert watcher.is_well()


def test_where_the_kernel_has_no_more_watches_it_is_said_once_and_the_scan_finds_the_rest(tmp_path: Path) -> None:
    """In a user namespace of its own, whose limit is lowered: it is that of this process alone."""
    script = f"""
from pathlib import Path
from daemon.process.clock import Clock
from daemon.intake.intake import Intake
from daemon.intake.filters import PathFilter
limit = Path("/proc/sys/user/max_inotify_watches")
limit.write_text("3")
inbox = Path({str(tmp_path)!r})
for number in range(6):
    (inbox / str(number)).mkdir()
one = Intake(PathFilter(inbox, recursive=True), Clock(), lambda sentence, *_: print(sentence), watch=True)
one.ready(0, 0.0)
for number in range(6):
    (inbox / str(number) / "a.jpg").touch()
found = set()
while len(found) < 6:
    found |= {{photo.path for photo in one.ready(9, 0.5)}}
limit.write_text("100")
while one.troubles().notes:
    one.ready(9, 0.5)
one.close()
"""
    words = ["unshare", "--user", "--map-root-user", sys.executable, "-c", script]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=DEADLINE_S)
    if "unshare failed" in done.stderr or "Permission" in done.stderr or "Read-only" in done.stderr:
        pytest.skip(f"no user namespace with limits of its own: {done.stderr[-100:]}")
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert "the kernel's limit of inotify watches is reached" in first
    assert second == "the inbox is watched again"


def test_a_whole_tree_is_filed_and_its_folders_stay(tmp_path: Path) -> None:
    photos = {}
    for number, name in enumerate(("a.jpg", "x/a.jpg", "x/y/a.jpg", "z/b.jpg")):
        photos[name] = put(tmp_path / "in" / name, unique(LABELS[number % 3], number)).read_bytes()
    put(tmp_path / "in" / "x" / "secret.jpg", plain("red"))
    options = ("--inbox", tmp_path / "in", "--output", tmp_path / "in" / "out", "--model", model_file(tmp_path))
    with daemon(*options, "--recursive", "--ignore", "secret.*") as running:
        running.ready()
        wait_until(lambda: len(tree(tmp_path / "in" / "out")) == 4, "what was there")
        photos["new/folder/c.jpg"] = put(tmp_path / "in" / "new" / "folder" / "c.jpg", unique("red", 9)).read_bytes()
        wait_until(lambda: len(tree(tmp_path / "in" / "out")) == 5, "what came later")
        assert running.stop() == 0
    assert sorted(tree(tmp_path / "in" / "out").values()) == sorted(photos.values())
    shutil.rmtree(tmp_path / "in" / "out")
    assert tree(tmp_path / "in") == {"x/secret.jpg": plain("red")}
    assert (tmp_path / "in" / "x" / "y").is_dir()
    assert (tmp_path / "in" / "new" / "folder").is_dir()


def test_an_ignore_pattern_comes_from_file_and_environment_too(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a b.jpg", plain("red"))
    put(tmp_path / "in" / "c.jpg", plain("red"))
    options = ("sort", "--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    config = write(tmp_path / "c.toml", b'ignore = ["a ?.*", "c.jpg"]\n')
    assert run(*options, "--config", config).returncode == 0
    assert run(*options, env={"PHOTOTRIAGE_IGNORE": "a b.*:c.*"}).returncode == 0
    assert set(tree(tmp_path / "in")) == {"a b.jpg", "c.jpg"}
    for text in (b'ignore = "a"', b"ignore = [1]"):
        refused = run(*options, "--config", write(config, text))
        assert refused.returncode == 2
        assert "must be a list of texts in quotes" in refused.stderr
    assert "would ignore nothing, or everything" in run(*options, "--ignore", "*").stderr
    assert run(*options, "--ignore", "c.*").returncode == 0
    assert set(tree(tmp_path / "in")) == {"c.jpg"}

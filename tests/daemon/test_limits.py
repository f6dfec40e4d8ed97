"""No destination is planned that cannot be: names and paths fit where they go, and undo brings the true ones back."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daemon.files.companion_names import is_companion
from daemon.files.limits import MAX_PATH_BYTES, Limits
from daemon.files.names import free_name
from daemon.filing.destinations import give_names
from daemon.filing.move import move
from daemon.ledger.movers import Mover
from daemon.ledger.state_folder import state_folder
from daemon.photo import Outcome, Photo
from tests.colour_model import LABELS
from tests.daemon.house import House, ask
from tests.daemon.support import (
    HandClock,
    companion,
    daemon,
    digest,
    identity_of,
    model_file,
    opened_filer,
    opened_ledger,
    plain,
    roots,
    run,
    scored,
    tree,
    wait_until,
    write,
)

LATIN = os.fsdecode(b"caf\xe9")


def deep(folder: Path, length: int, name: str) -> Path:
    """Make folders below one, so that the path of a file of that name is of that length."""
    left = length - len(os.fsencode(folder)) - 1 - len(os.fsencode(name))
    while left > 0:
        folder /= "d" * min(100, left - 1 if left != 102 else 99)
        left = length - len(os.fsencode(folder)) - 1 - len(os.fsencode(name))
    folder.mkdir(parents=True)
    return folder / name


def a_photo(inbox: Path, path: Path, colour: str = "red", **changes: Any) -> Photo:
    photo = scored(write(path, plain(colour)), colour, **changes)
    photo.found = replace(photo.found, relpath=path.parent.relative_to(inbox))
    return photo


@pytest.mark.parametrize("across", [False, True], ids=["one file system", "two file systems"])
@pytest.mark.parametrize("length", [3_900, 4_000, 4_050, 4_091, 4_095])
def test_a_path_that_gets_too_long_keeps_as_many_of_the_photos_folders_as_fit(
    tmp_path: Path, request: pytest.FixtureRequest, across: bool, length: int
) -> None:
    (tmp_path / "a").mkdir()
    inbox, output = roots(tmp_path / "a")
    if across:
        shutil.move(output, request.getfixturevalue("elsewhere"))
        output = request.getfixturevalue("elsewhere") / "output"
    output = output.rename(output.with_name("output-with-a-longer-name-than-that-of-the-inbox"))
    photos = [a_photo(inbox, deep(inbox, length, "photo.jpg")), a_photo(inbox, write(inbox / "b.jpg", b""))]
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file(photos)
    assert [photo.filing.outcome for photo in photos] == [Outcome.FILED] * 2, photos[0].filing.reason
    place = photos[0].filing.destination
    assert place is not None
    assert place.name == "photo.jpg"
    assert photos[0].path.parent.relative_to(inbox).is_relative_to(place.parent.relative_to(output / "red"))
    if len(os.fsencode(place)) + 101 < MAX_PATH_BYTES - 50:
        assert place.parent.relative_to(output / "red") == photos[0].found.relpath
    assert place.read_bytes() == plain("red")
    with opened_ledger(tmp_path / "l") as ledger:
        (source, *_), _ = ledger._connection.execute("SELECT source FROM photos ORDER BY id").fetchall()
    assert os.fsdecode(source) == str(photos[0].path)


def test_a_photo_for_which_no_path_is_short_enough_waits_alone(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    output = output.rename(deep(tmp_path, MAX_PATH_BYTES - 14, "output"))  # its marker just fits
    labels = ("a-class-of-a-long-name", *LABELS[1:])
    its: dict[str, Any] = {"labels": labels, "thresholds": dict.fromkeys(labels, 0.0)}
    photos = [a_photo(inbox, inbox / "a.jpg", **its), a_photo(inbox, inbox / "b.jpg", "blue", **its)]
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file(photos)
        assert [photo.filing.outcome for photo in photos] == [Outcome.AGAIN, Outcome.FILED]
        assert photos[0].filing.reason.endswith("cannot be used (File name too long)")
        assert not filer.pause.reason
    with opened_ledger(tmp_path / "l") as ledger:
        assert ledger.open_intents(Mover.DAEMON) == {}


def test_the_deepest_photo_is_filed_by_the_daemon_and_undo_brings_it_back(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    output = tmp_path / "the-sorted-photos-in-a-longer-folder"
    path = write(deep(tmp_path / "in", 4_041, "p.jpg"), plain("red"), mtime_s=1e9)
    options = ("--recursive", "--inbox", tmp_path / "in", "--output", output, "--model", model_file(tmp_path))
    done = run("sort", *options)
    assert (done.returncode, path.exists()) == (0, False), done.stderr
    assert run("undo", "--inbox", tmp_path / "in", "--last", "1").returncode == 0
    assert path.read_bytes() == plain("red")


def test_a_photo_and_its_companions_keep_one_stem_where_names_are_short(tmp_path: Path) -> None:
    photo = scored(write(tmp_path / ("é" * 100 + ".jpg"), plain("red")))
    for ending in (".xmp", ".json", ".jpg.xmp"):
        part = write(tmp_path / ("é" * 100 + ending), b"")
        assert is_companion(part)
        photo.filing.companions.append(companion(part))
    stems: list[str] = []
    for number in range(3):
        promised = {str(tmp_path / "red" / f"{stem}.jpg") for stem in stems}
        give_names(photo, tmp_path / "red" / photo.path.name, 143, promised)
        assert photo.filing.destination is not None
        stem = photo.filing.destination.stem
        names = [part.filing.destination.name for part in photo.filing.companions if part.filing.destination]
        assert names == [f"{stem}.xmp", f"{stem}.json", f"{stem}.jpg.xmp"]
        assert stem == "é" * (67 - bool(number)) + (f"-{number}" if number else "")
        assert max(len(os.fsencode(name)) for name in names) <= 143
        stems.append(stem)


def test_what_a_file_system_takes_is_asked_for_each_of_them(tmp_path: Path, elsewhere: Path) -> None:
    limits = Limits()
    for folder in (tmp_path, elsewhere):
        assert limits.of(folder) == (os.statvfs(folder).f_namemax, 0)


@contextmanager
def mounted(*words: str | Path, at: Path) -> Iterator[Path]:
    at.mkdir()
    subprocess.run([os.fsdecode(word) for word in words], check=True, capture_output=True)
    try:
        wait_until(lambda: os.path.ismount(at), "the mount")
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=False)


@pytest.fixture(params=["", "windows_names"])
def ntfs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, bool]]:
    """An NTFS, which takes no name that is no UTF-8, and whether it takes none that Windows cannot read."""
    with (tmp_path / "image").open("wb") as image:
        image.truncate(16 << 20)
    subprocess.run(["mkntfs", "-q", "-F", "-f", str(tmp_path / "image")], check=True, capture_output=True)
    options = ["-o", request.param] if request.param else []
    with mounted("ntfs-3g", *options, tmp_path / "image", tmp_path / "ntfs", at=tmp_path / "ntfs") as folder:
        yield folder, bool(options)


NAMES = (f"{LATIN}.jpg", "12:30 ?.jpg", "ok.jpg", "trip./in.jpg", f"{LATIN}/in.jpg")
ALSO_REFUSED = (
    *("CON.jpg", "aux/lpt1.b.jpg", "end.jpg. ", '"a*.jpg', "a<b>.jpg", "a|b.jpg", "a\\b.jpg", "a\nb.jpg", "a:b:.jpg"),
)


@pytest.mark.system("mkntfs", "ntfs-3g", root=True)
def test_names_that_the_file_system_refuses_are_made_plainer_and_undo_brings_the_true_ones_back(
    tmp_path: Path, ntfs: tuple[Path, bool]
) -> None:
    folder, strict = ntfs
    inbox, output = tmp_path / "in", folder / "out"
    for number, name in enumerate((*NAMES, *ALSO_REFUSED)):
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        write(inbox / name, plain("red") + bytes([number]), mtime_s=1e9)
    before = tree(inbox)
    options = ("--recursive", "--inbox", inbox, "--output", output, "--model", model_file(tmp_path))
    with daemon(*options) as one:
        one.until(lambda event: len(tree(inbox)) == 0, "all are filed")
        assert one.stop() == 0
    got = set(tree(output))
    assert {"red/caf_.jpg", "red/ok.jpg", "red/caf_/in.jpg"} < got
    assert len(got) == len(before)
    assert ("red/12_30 _.jpg" if strict else "red/12:30 ?.jpg") in got
    assert ("red/trip_/in.jpg" if strict else "red/trip./in.jpg") in got
    if strict:
        assert {"red/CON_.jpg", "red/aux_/lpt1_.b.jpg", "red/end.jpg", "red/a_b_.jpg", "red/_a_.jpg"} < got
    assert run("undo", "--inbox", inbox, "--last", "99").returncode == 0
    assert tree(inbox) == before
    with opened_ledger(state_folder(inbox) / "ledger.sqlite") as ledger:
        assert ledger.open_intents(Mover.DAEMON) == {}


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[Path]:
    """An encrypted folder that takes names of 175 bytes and claims 255."""
    (tmp_path / "cipher").mkdir()
    write(tmp_path / "word", b"secret")
    words = ("gocryptfs", "-q", "-scryptn", "10", "-passfile", tmp_path / "word", "-longnames=false")
    subprocess.run([*map(str, words), "-init", str(tmp_path / "cipher")], check=True, capture_output=True)
    with mounted(*words, tmp_path / "cipher", tmp_path / "plain", at=tmp_path / "plain") as folder:
        yield folder


@pytest.mark.system("gocryptfs", root=True)
def test_names_that_are_too_long_for_an_encrypted_folder_are_cut_and_failed_ones_get_their_note(
    tmp_path: Path, encrypted: Path
) -> None:
    inbox, output = tmp_path / "in", encrypted / "out"
    inbox.mkdir()
    assert os.statvfs(encrypted).f_namemax == 255
    write(inbox / ("x" * 200 + ".jpg"), plain("red"), mtime_s=1e9)
    write(inbox / ("y" * 200 + ".jpg"), plain("red")[:300], mtime_s=1e9)
    write(inbox / ("x" * 200 + ".jpg.xmp"), b"its sidecar", mtime_s=1e9)
    before = tree(inbox)
    options = ("--inbox", inbox, "--output", output, "--model", model_file(tmp_path), "--give-up-after", "1")
    done = run("sort", *options)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in output.rglob("*") if path.is_file() and path.name != ".phototriage")
    stem = names[0].removesuffix(".jpg")
    assert stem in (
        "x" * (143 - len(".jpg.xmp")),
        "x" * (143 - len(".jpg")),
    )  # together, or the sidecar later
    assert names[1] == f"{stem}.jpg.xmp"
    assert names[2] == "y" * 139 + ".jpg"
    assert names[3].endswith(".why.txt")
    assert run("undo", "--inbox", inbox, "--last", "9").returncode == 0
    assert tree(inbox) == before


@pytest.mark.system("gocryptfs", root=True)
def test_a_long_name_that_is_taken_in_an_encrypted_inbox_gets_a_number_on_its_way_back(
    tmp_path: Path, encrypted: Path
) -> None:
    (tmp_path / "out").mkdir()
    house, name = House(encrypted / "house", tmp_path / "out"), "x" * 171 + ".jpg"
    filed = house.file(name).read_bytes()
    write(house.inbox / name, b"another of that name")
    assert ask("undo", "--last", "1").exit_code == 0
    assert tree(house.inbox) == {name: b"another of that name", "x" * 169 + "-1.jpg": filed}
    assert free_name(house.inbox, name).name == "x" * 169 + "-2.jpg"


@pytest.mark.system("gocryptfs", root=True)
def test_a_companion_that_comes_late_follows_under_a_shorter_name_where_its_own_is_refused(
    tmp_path: Path, encrypted: Path
) -> None:
    inbox, _ = roots(tmp_path)
    output, clock = encrypted / "out", HandClock()
    shutil.copytree(tmp_path / "output", output)
    with opened_filer(output, tmp_path / "l", clock) as filer:
        filer.file([scored(write(inbox / ("x" * 171 + ".jpg"), plain("red")))])
        path = write(inbox / ("x" * 171 + ".jpg.xmp"), b"its sidecar")
        late = companion(path)
        filer.file([late])
        clock.turn(1.0)
        filer.file([])
    assert (late.filing.outcome, late.filing.follows) == (Outcome.FILED, output / "red" / ("x" * 171 + ".jpg"))
    assert tree(output)[f"red/{'x' * 135}.jpg.xmp"] == b"its sidecar"


def test_a_note_and_a_copy_fit_beside_the_longest_name(tmp_path: Path, elsewhere: Path) -> None:
    source = write(tmp_path / ("x" * 251 + ".jpg"), plain("red"))
    folder = deep(elsewhere, MAX_PATH_BYTES - 1 - 51, "x").parent
    move(source, identity_of(source), digest(plain("red")), folder / ("x" * 47 + ".jpg"))
    assert tree(folder)["x" * 47 + ".jpg"] == plain("red")

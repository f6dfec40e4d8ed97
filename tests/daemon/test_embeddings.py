"""Embeddings beside the ledger: found again by content and id; a kill, damage or a full disk costs no photo."""

import fcntl
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.ledger.embedding_writer import WAITING, EmbeddingWriter
from daemon.ledger.embeddings import EMBEDDINGS, OLDER, EmbeddingFiles, read_embeddings, remove_embeddings
from daemon.ledger.state_folder import state_folder
from daemon.photo import Embedding, Outcome, Photo
from tests.colour_model import FAMILIAR, colour_model
from tests.daemon.conftest import Stranger
from tests.daemon.house import House, ask, told
from tests.daemon.support import digest, photo_of, roots, run, saying, unique, write

RECORD_BYTES = 32 + 2 * 4
HEADER_BYTES = 4096


def vector(number: int) -> NDArray[np.float16]:
    """Return an embedding of length one that no other number has."""
    values = np.random.default_rng(number).standard_normal(4)
    return (values / np.linalg.norm(values)).astype("<f2")


def row(number: int) -> tuple[str, bytes]:
    return digest(b"%d" % number), vector(number).tobytes()


def add(files: EmbeddingFiles, *numbers: int, of: str = "a") -> bool:
    damaged = files.prepare(of, 4)
    assert files.add(of, [row(number) for number in numbers]) == len(numbers)
    return damaged


def kept(state: Path, of: str = "a") -> list[tuple[str, bytes]]:
    return [
        (sha256.tobytes().hex(), values.tobytes())
        for part in read_embeddings(state, of)
        for sha256, values in zip(part.sha256, part.values, strict=True)
    ]


def test_embeddings_are_read_again_in_order_mapped_and_only_under_their_id(tmp_path: Path) -> None:
    files = EmbeddingFiles(tmp_path)
    add(files, 1, 2)
    add(EmbeddingFiles(tmp_path), 3)
    (part,) = read_embeddings(tmp_path, "a")
    assert kept(tmp_path) == [row(1), row(2), row(3)]
    assert isinstance(part.values, np.memmap)
    assert part.values.dtype == np.float16
    assert kept(tmp_path, "b") == []
    assert files.add("b", [row(4)]) == 0
    assert files.add("a", [(digest(b"4"), b"short")]) == 0
    assert kept(tmp_path) == [row(1), row(2), row(3)]


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        add(EmbeddingFiles(tmp_path), 1)
    finally:
        os.umask(before)
    assert (tmp_path / EMBEDDINGS).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("torn", [1, RECORD_BYTES - 1])
def test_a_torn_record_is_not_read_and_the_next_one_takes_its_place(tmp_path: Path, torn: int) -> None:
    files = EmbeddingFiles(tmp_path)
    add(files, 1, 2)
    os.truncate(tmp_path / EMBEDDINGS, HEADER_BYTES + RECORD_BYTES + torn)
    assert kept(tmp_path) == [row(1)]
    add(files, 3)
    assert kept(tmp_path) == [row(1), row(3)]


def test_what_a_power_cut_left_as_zeros_is_no_embedding(tmp_path: Path) -> None:
    files = EmbeddingFiles(tmp_path)
    add(files, 1)
    os.truncate(tmp_path / EMBEDDINGS, HEADER_BYTES + 3 * RECORD_BYTES)
    add(files, 2)
    assert kept(tmp_path) == [row(1), row(2)]


def test_the_oldest_half_goes_when_the_files_are_as_large_as_they_may_be(tmp_path: Path) -> None:
    files = EmbeddingFiles(tmp_path, max_bytes=2 * (HEADER_BYTES + 3 * RECORD_BYTES))
    for number in range(1, 9):
        add(files, number)
    assert kept(tmp_path) == [row(number) for number in (4, 5, 6, 7, 8)]
    (whole, _) = read_embeddings(tmp_path, "a")
    add(files, 9)
    assert files.add("a", [row(10)]) == 0, "the file is full, and only `prepare` sets it aside"
    add(files, 10)
    assert kept(tmp_path) == [row(number) for number in (7, 8, 9, 10)]
    assert [values.tobytes() for values in whole.values] == [row(number)[1] for number in (4, 5, 6)], "still mapped"
    assert {path.name for path in tmp_path.iterdir()} == {EMBEDDINGS, OLDER}


def test_a_day_with_another_model_costs_no_embeddings(tmp_path: Path) -> None:
    files = EmbeddingFiles(tmp_path)
    add(files, 1, 2)
    add(files, 3, of="b")
    assert (kept(tmp_path), kept(tmp_path, "b")) == ([row(1), row(2)], [row(3)])
    add(files, 4)
    assert (kept(tmp_path), kept(tmp_path, "b")) == ([row(1), row(2), row(4)], [row(3)])
    add(files, 5, of="c")
    assert (kept(tmp_path), kept(tmp_path, "b"), kept(tmp_path, "c")) == ([row(1), row(2), row(4)], [], [row(5)])


@pytest.mark.parametrize("damage", [b"", b"x" * 10_000, b"phototriage embeddings 1\na\n-3\n".ljust(5000, b"\0")])
def test_a_damaged_file_begins_again(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / EMBEDDINGS).write_bytes(damage)
    files = EmbeddingFiles(tmp_path)
    assert kept(tmp_path) == []
    assert files.add("a", [row(1)]) == 0
    assert add(files, 1), "it is told that the file was damaged"
    assert not add(files, 2)
    assert kept(tmp_path) == [row(1), row(2)]


def test_all_of_them_are_removed(tmp_path: Path) -> None:
    files = EmbeddingFiles(tmp_path)
    remove_embeddings(tmp_path)
    add(files, 1)
    add(files, 2, of="b")
    remove_embeddings(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_tears_no_more_than_one_record(tmp_path: Path) -> None:
    files = EmbeddingFiles(tmp_path)
    add(files, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HEADER_BYTES + 2 * RECORD_BYTES + 7, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            files.add("a", [row(2), row(3), row(4)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert kept(tmp_path) == [row(1), row(2)]
    add(files, 5)
    assert kept(tmp_path) == [row(1), row(2), row(5)]


KILLED = """
import os, sys
from pathlib import Path
from daemon.ledger.embeddings import EmbeddingFiles
files, number = EmbeddingFiles(Path(sys.argv[1]), max_bytes=100_000), 0
values = bytes.fromhex(sys.argv[2])
while True:
    of = "ab"[number // 2000 % 2]
    files.prepare(of, 4)
    files.add(of, [(f"{number + more:064x}", values) for more in range(100)])
    number += 100
    os.write(1, b".")
"""


@pytest.mark.parametrize("steps", [1, 12, 37, 90])
def test_a_kill_at_any_point_costs_no_more_than_the_last_records(tmp_path: Path, root: Path, steps: int) -> None:
    values = vector(1).tobytes()
    words = [sys.executable, "-c", KILLED, str(tmp_path), values.hex()]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(steps)
        process.kill()
    before = {of: kept(tmp_path, of) for of in "ab"}
    for part in (part for of in "ab" for part in read_embeddings(tmp_path, of)):
        numbers = [int.from_bytes(sha256.tobytes()) for sha256 in part.sha256]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert {one.tobytes() for one in part.values} == {values}
    files = EmbeddingFiles(tmp_path)
    if not (tmp_path / EMBEDDINGS).exists():  # killed while it was set aside
        files.prepare("a", 4)
    (of,) = (of for of in "ab" if files.add(of, [row(1)]))
    assert kept(tmp_path, of) == [*before[of], row(1)]
    assert any(before.values())  # the file may be a new one, because the other id began


def passed(folder: Path, number: int, outcome: Outcome = Outcome.FILED) -> Photo:
    photo = photo_of(
        write(folder / f"{number}.jpg", b""), sha256=row(number)[0], embedding=Embedding("a", row(number)[1])
    )
    photo.filing.outcome = outcome
    return photo


@contextmanager
def writing(state: Path, said: list[str]) -> Iterator[EmbeddingWriter]:
    familiarity = replace(FAMILIAR, id="a", dimensions=4)
    with closing(EmbeddingWriter(state, familiarity, saying(said))) as writer:
        yield writer


def test_only_photos_that_are_filed_leave_an_embedding(tmp_path: Path) -> None:
    said: list[str] = []
    with writing(tmp_path, said) as writer:
        writer.add([passed(tmp_path, number, outcome) for number, outcome in enumerate(Outcome)])
        writer.add([photo_of(write(tmp_path / "old.jpg", b""), outcome=Outcome.FILED)])
    names = [list(Outcome)[n] for n in range(len(Outcome)) if row(n) in kept(tmp_path)]
    assert (names, said) == ([Outcome.FILED, Outcome.REVIEW], [])


def test_a_folder_that_cannot_be_written_is_told_once_and_holds_up_nothing(tmp_path: Path) -> None:
    (tmp_path / EMBEDDINGS).mkdir()
    said: list[str] = []
    with writing(tmp_path, said) as writer:
        for number in range(3):
            writer.add([passed(tmp_path, number)])
    told = f"the embeddings in {tmp_path} cannot be written (Is a directory); photos are filed without them"
    assert said == [told]
    (tmp_path / EMBEDDINGS).rmdir()
    (tmp_path / EMBEDDINGS).write_bytes(b"damage")
    with writing(tmp_path, said) as writer:
        writer.add([passed(tmp_path, 4)])
    assert len(said) == 2
    assert f"the embeddings in {tmp_path} were damaged and begin again" in said[1]
    assert kept(tmp_path) == [row(4)]


def test_a_disk_that_hangs_holds_up_no_photo(tmp_path: Path) -> None:
    add(EmbeddingFiles(tmp_path), 0)
    with (tmp_path / EMBEDDINGS).open("rb") as file, writing(tmp_path, []) as writer:
        fcntl.flock(file, fcntl.LOCK_EX)
        for number in range(1, 2 * WAITING):
            writer.add([passed(tmp_path, number)])
        fcntl.flock(file, fcntl.LOCK_UN)
    found = kept(tmp_path)
    assert WAITING < len(found) <= WAITING + 2
    assert found == [row(number) for number in range(len(found))]


def sort(folder: Path, *options: str) -> tuple[Path, list[str | Path]]:
    """Sort two photos, a third into review, and a broken one; returns the state folder and the words of a replay."""
    inbox, output = roots(folder)
    for colour in ("red", "blue", "grey"):
        write(inbox / f"{colour}.jpg", unique(colour, 1), mtime_s=1.0)
    write(inbox / "broken.jpg", b"", mtime_s=1.0)
    model = write(folder / "colours.onnx", colour_model(familiarity=FAMILIAR))
    words: list[str | Path] = ["--inbox", inbox, "--output", output, "--model", model, "--give-up-after", "0.1"]
    done = run("sort", *words, *options)
    assert done.returncode == 0, done.stderr
    return state_folder(inbox), ["replay", "--model", model]


def embeddings(state: Path) -> dict[str, list[float]]:
    rows = kept(state, FAMILIAR.id)
    return {sha256: [round(value, 2) for value in np.frombuffer(values, "<f2").tolist()] for sha256, values in rows}


PLACES = {
    digest(unique("red", 1)): [1.0, 0.0, 0.0],
    digest(unique("blue", 1)): [0.0, 0.0, 1.0],
    digest(unique("grey", 1)): [0.58, 0.58, 0.58],
}


def test_embeddings_of_filed_photos_are_kept_are_in_the_backup_and_are_made_again(tmp_path: Path) -> None:
    state, replay = sort(tmp_path)
    assert embeddings(state) == PLACES
    backup = tmp_path / "backup.sqlite"
    said = ask("history", "--backup", backup).output
    assert f"(4 rows) to {backup}, and 3 embeddings to {backup}.embeddings." in said
    copy = Path(f"{backup}.embeddings")
    assert copy.stat().st_mode & 0o777 == 0o600
    backup.unlink()
    assert "backup.sqlite.embeddings exists already" in ask("history", "--backup", backup).stderr
    assert not backup.exists()

    (state / EMBEDDINGS).unlink()
    assert "Added" not in ask(*replay).output
    assert not (state / EMBEDDINGS).exists(), "without a file none are kept"
    EmbeddingFiles(state).prepare(FAMILIAR.id, 3)  # as a start does
    assert "Added 3 embeddings that were missing." in ask(*replay).output
    assert embeddings(state) == PLACES
    assert told(*replay)[-1]["embeddings_added"] == 0

    (state / EMBEDDINGS).unlink()
    copy.rename(state / EMBEDDINGS)
    assert embeddings(state) == PLACES
    assert told(*replay)[-1]["embeddings_added"] == 0


def test_where_embeddings_are_off_none_are_kept_and_those_that_were_go(tmp_path: Path) -> None:
    state = state_folder(tmp_path / "inbox")
    state.mkdir(parents=True)
    add(EmbeddingFiles(state), 1)
    add(EmbeddingFiles(state), 2, of="b")
    sort(tmp_path, "--embeddings", "off")
    assert not list(state.glob("*embeddings*"))
    assert (state / "ledger.sqlite").exists()
    assert ask("history", "--backup", tmp_path / "backup.sqlite").exit_code == 0
    assert not list(tmp_path.glob("*.embeddings"))


def test_an_inbox_that_is_forgotten_leaves_no_embeddings(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    add(EmbeddingFiles(house.path.parent), 1)
    add(EmbeddingFiles(house.path.parent), 2, of="b")
    assert ask("forget", "--inbox", house.inbox, "--yes").exit_code == 0
    assert not house.path.parent.exists()


def test_who_may_read_the_ledger_but_not_the_embeddings_backs_up_and_replays_without_them(
    tmp_path: Path, stranger: Stranger
) -> None:
    house = House(tmp_path / "house")
    house.file("a.jpg")
    add(EmbeddingFiles(house.path.parent), 1)
    (house.path.parent / EMBEDDINGS).chmod(0)
    backup = tmp_path / "backup.sqlite"
    said = stranger.phototriage("history", "--backup", backup)
    assert (said.returncode, backup.exists()) == (0, True), said.stderr
    assert "without the embeddings beside it, which this user may not read" in said.stdout
    model = write(tmp_path / "colours.onnx", colour_model(familiarity=FAMILIAR))
    said = stranger.phototriage("replay", "--model", model)
    assert said.returncode == 0, said.stderr
    assert "cannot be read or written (Permission denied)" in said.stderr

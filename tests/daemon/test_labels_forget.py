"""What was said about a photo is forgotten everywhere: events, label, features, embeddings."""

import fcntl
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from contract.learned import Learned
from daemon.ledger.embeddings import EMBEDDINGS, OLDER, EmbeddingFiles, read_embeddings
from daemon.ledger.forget_embedding import WITHOUT, forget_embedding
from daemon.models.store import MODELS
from tests.colour_model import colour_model
from tests.daemon.conftest import Stranger
from tests.daemon.house import ask, told
from tests.daemon.sorted_house import Sorted, facts, refused
from tests.daemon.support import digest, unique, wait_until, write

D = 16


@pytest.fixture
def house(tmp_path: Path) -> Sorted:
    return Sorted(tmp_path / "house")


def values_of(number: int) -> bytes:
    values = np.zeros(D, "<f2")
    values[number % D] = 1
    return values.tobytes()


def kept(state: Path, of: str = "id") -> list[str]:
    """Return the hashes of all embeddings that are read."""
    return [row.tobytes().hex() for part in read_embeddings(state, of) for row in part.sha256]


def keep(state: Path, hashes: list[str], of: str = "id") -> EmbeddingFiles:
    files = EmbeddingFiles(state)
    files.prepare(of, D)
    files.add(of, [(sha256, values_of(number)) for number, sha256 in enumerate(hashes)])
    return files


def test_all_that_was_said_about_a_photo_is_forgotten_and_its_filing_is_not(house: Sorted) -> None:
    photo, other = (house.output / f"sea/{number}.jpg" for number in range(2))
    ask("labels", "add", "--class", "street", photo, other)
    ask("labels", "take-back", photo)
    sha256 = digest(photo.read_bytes())
    keep(house.path.parent, [sha256, "b" * 64])
    assert ask("labels", "forget", photo).stdout == f"{photo}: 2 events and 1 embedding removed.\n"
    assert [one["path"] for one in facts(house, "label")] == [str(other)]
    assert house.one("SELECT count(*) FROM labelled") == (1,)
    assert kept(house.path.parent) == ["b" * 64]
    assert photo.exists()
    assert ask("undo", "--last", "2").exit_code == 0
    assert (house.inbox / "0.jpg").exists()
    assert "Nothing was said about" in refused("forget", sha256)


def test_no_trace_stays_in_the_bytes_of_the_ledger(house: Sorted, tmp_path: Path) -> None:
    photo = write(tmp_path / "a name that nobody else has.jpg", unique("red", 1))
    ask("labels", "add", "--class", "street", photo)
    ask("labels", "forget", photo)
    left = b"".join(path.read_bytes() for path in house.path.parent.iterdir() if path.is_file())
    assert photo.name.encode() not in left


def test_a_photo_that_is_gone_is_forgotten_by_its_hash_or_its_former_path(house: Sorted, tmp_path: Path) -> None:
    photo, stranger = house.output / "sea/0.jpg", write(tmp_path / "dog.jpg", unique("red", 1))
    ask("labels", "add", "--class", "street", photo, stranger)
    (one,) = [one["sha256"] for one in facts(house, "label") if one["path"] == str(photo)]
    photo.unlink()
    stranger.unlink()
    assert told("labels", "forget", one.upper()) == [{"named": one.upper(), "events": 1, "embeddings": 0, "models": []}]
    assert told("labels", "forget", stranger) == [{"named": str(stranger), "events": 1, "embeddings": 0, "models": []}]
    assert house.said() == []
    assert house.one("SELECT said FROM places WHERE photo = 1") == ("",)


def test_a_photo_is_forgotten_in_every_ledger_of_the_output(house: Sorted, tmp_path: Path) -> None:
    other = Sorted(tmp_path / "other", output=house.output, photos=0)
    photo = house.output / "sea/0.jpg"
    for one in (house, other):
        assert ask("labels", "add", "--class", "street", "--inbox", one.inbox, photo).exit_code == 0
        keep(one.path.parent, [digest(photo.read_bytes())])
    assert told("labels", "forget", "--inbox", house.inbox, photo)[0]["events"] == 2
    assert (house.said(), other.said()) == ([], [])
    assert kept(house.path.parent) == kept(other.path.parent) == []


def test_nothing_is_forgotten_while_one_ledger_that_knows_may_not_be_written(
    house: Sorted, tmp_path: Path, stranger: Stranger
) -> None:
    other = Sorted(tmp_path / "other", output=house.output, photos=0)
    photo = house.output / "sea/0.jpg"
    for one in (house, other):
        ask("labels", "add", "--class", "street", "--inbox", one.inbox, photo)
    other.path.parent.chmod(0o555)
    other.path.chmod(0o444)
    said = stranger.phototriage("labels", "forget", photo)
    other.path.parent.chmod(0o755)
    assert said.returncode == 1
    assert "may not write it" in said.stderr
    assert house.said() != []


def test_models_that_may_have_learnt_from_it_are_named(house: Sorted) -> None:
    photo, models = house.output / "sea/0.jpg", house.path.parent / MODELS
    models.mkdir()
    for name, at in (("before.onnx", "2001-01-01T00:00:00+00:00"), ("after.onnx", "2101-01-01T00:00:00+00:00")):
        learned = Learned("cd" * 32, 12, at, "open")
        write(models / name, colour_model(learned=learned))
    write(models / "plain.onnx", colour_model())
    write(models / "broken.onnx", b"no model")
    ask("labels", "add", "--class", "street", photo)
    said = ask("labels", "forget", photo).stdout
    assert f"Models that may have learnt from it: {models / 'after.onnx'}. `phototriage learn`" in said


def test_a_group_lives_on_without_its_founder(house: Sorted) -> None:
    photos = [house.output / f"sea/{number}.jpg" for number in range(2)]
    ask("labels", "add", "--class", "street", *photos)
    founder, other = (digest(photo.read_bytes()) for photo in photos)
    with house.connected() as connection:
        connection.execute("UPDATE labelled SET founder = ?, side = 'held out'", (founder,))
    ask("labels", "forget", photos[0])
    assert house.one("SELECT founder, side FROM labelled") == (other, "held out")


def test_both_files_of_embeddings_lose_a_photo_and_nothing_else(tmp_path: Path) -> None:
    hashes = [f"{number:064x}" for number in range(30)]
    files = EmbeddingFiles(tmp_path, max_bytes=2 * (4096 + 20 * (32 + 2 * D)))
    for number, sha256 in enumerate([*hashes, hashes[3]]):
        files.prepare("id", D)
        files.add("id", [(sha256, values_of(number))])
    before = kept(tmp_path)
    mapped = list(read_embeddings(tmp_path, "id"))
    assert forget_embedding(tmp_path, hashes[3]) == before.count(hashes[3]) == 2
    assert kept(tmp_path) == [sha256 for sha256 in before if sha256 != hashes[3]]
    assert [row.tobytes().hex() for part in mapped for row in part.sha256] == before
    assert forget_embedding(tmp_path, hashes[3]) == 0
    assert not (tmp_path / WITHOUT).exists()
    assert (tmp_path / EMBEDDINGS).stat().st_mode & 0o777 == 0o600


def test_embeddings_of_another_id_that_were_set_aside_lose_the_photo_too(tmp_path: Path) -> None:
    keep(tmp_path, ["a" * 64, "b" * 64], of="one")
    keep(tmp_path, ["a" * 64], of="other")
    assert (tmp_path / OLDER).exists()
    assert forget_embedding(tmp_path, "a" * 64) == 2
    assert (kept(tmp_path, "one"), kept(tmp_path, "other")) == (["b" * 64], [])


def test_what_is_added_while_a_photo_is_forgotten_is_kept(tmp_path: Path) -> None:
    files, path = keep(tmp_path, ["f" * 64]), tmp_path / EMBEDDINGS
    adding = threading.Thread(target=files.add, args=("id", [("a" * 64, values_of(1))]))
    with path.open("rb") as old:
        fcntl.flock(old, fcntl.LOCK_EX)  # as the one that forgets does
        adding.start()
        wait_until(lambda: _is_waited_for(old.fileno()), "the one that adds")
        write(tmp_path / WITHOUT, path.read_bytes()[: -(32 + 2 * D)]).replace(path)
    adding.join()
    assert kept(tmp_path) == ["a" * 64]


def _is_waited_for(descriptor: int) -> bool:
    inode = f":{os.fstat(descriptor).st_ino} "
    return any("-> FLOCK" in line and inode in line for line in Path("/proc/locks").read_text().splitlines())


def test_a_file_that_was_cut_off_or_is_damaged_is_no_obstacle(tmp_path: Path) -> None:
    assert forget_embedding(tmp_path, "a" * 64) == 0
    keep(tmp_path, ["a" * 64, "b" * 64])
    with (tmp_path / EMBEDDINGS).open("ab") as file:
        file.write(b"half a record")
    (tmp_path / WITHOUT).write_bytes(b"left by a kill")
    assert forget_embedding(tmp_path, "a" * 64) == 1
    assert kept(tmp_path) == ["b" * 64]
    os.truncate(tmp_path / EMBEDDINGS, 100)
    assert forget_embedding(tmp_path, "b" * 64) == 0

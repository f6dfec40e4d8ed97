"""Each photo is decoded once, whatever happens to the process, and what the cache gives is what to_input gives."""

import io
import os
import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import Reason
from contract.fingerprint import difference_hash
from contract.geometry import MAX_FILE_BYTES, Geometry, to_input
from contract.limits import memory_limit
from training.dataset.cache import cache_folder, cache_root, decode_all
from training.dataset.decoders import decoders
from training.dataset.decoding import PARALLEL_BYTES, turn_of
from training.dataset.prepare import prepare
from training.errors import TrainingError
from training.measure import answered
from training.progress import Reporter
from training.recipe.recipe import Input, Recipe

GEOMETRY = Geometry(size_px=40)
MakePhotos = Callable[..., list[Path]]


def test_the_cache_holds_what_to_input_gives(tmp_path: Path, make_photos: MakePhotos) -> None:
    paths = make_photos(tmp_path, "red", 5)
    found = decode_all(paths, GEOMETRY)
    for path, row in zip(paths, found.rows, strict=True):
        assert np.array_equal(found.pixels[row], to_input(path, GEOMETRY))


def test_a_second_run_decodes_nothing(tmp_path: Path, make_photos: MakePhotos) -> None:
    paths = make_photos(tmp_path, "red", 5)
    first, second = decode_all(paths, GEOMETRY), decode_all(paths[::-1], GEOMETRY)
    assert (first.fresh, second.fresh) == (5, 0)
    assert np.array_equal(first.rows, second.rows[::-1])
    assert first.hashes == second.hashes[::-1]
    assert np.array_equal(first.difference_hashes, second.difference_hashes[::-1])


def test_a_second_run_writes_nothing_into_the_index(tmp_path: Path, make_photos: MakePhotos) -> None:
    paths = make_photos(tmp_path, "red", 5)
    decode_all(paths, GEOMETRY)
    (index,) = cache_folder(GEOMETRY).glob("*.sqlite")
    before = index.read_bytes()
    decode_all(paths, GEOMETRY)
    assert index.read_bytes() == before
    paths[0].touch()  # as if changed: it is read again, and its new times are kept
    assert decode_all(paths, GEOMETRY).fresh == 0
    assert index.read_bytes() != before


def test_a_moved_dataset_is_known_by_its_content(tmp_path: Path, make_photos: MakePhotos) -> None:
    make_photos(tmp_path / "old", "red", 5)
    decode_all(sorted((tmp_path / "old").iterdir()), GEOMETRY)
    (tmp_path / "old").rename(tmp_path / "new")
    assert decode_all(sorted((tmp_path / "new").iterdir()), GEOMETRY).fresh == 0


def test_a_changed_photo_is_decoded_anew(tmp_path: Path, make_photos: MakePhotos) -> None:
    path, other = make_photos(tmp_path, "red", 2)
    longest = max(path.stat().st_size, other.stat().st_size)
    for photo in (path, other):  # of one size, so that the time alone tells; bytes after a JPEG's end do no harm
        photo.write_bytes(photo.read_bytes().ljust(longest, b"\0"))
    decode_all([path], GEOMETRY)
    path.write_bytes(other.read_bytes())
    found = decode_all([path], GEOMETRY)
    assert np.array_equal(found.pixels[found.rows[0]], to_input(other, GEOMETRY))


def test_each_geometry_has_a_cache_of_its_own(tmp_path: Path, make_photos: MakePhotos) -> None:
    paths = make_photos(tmp_path, "red", 1, size=(60, 20))
    for geometry in (GEOMETRY, Geometry("letterbox", 40), Geometry(size_px=32)):
        found = decode_all(paths, geometry)
        assert np.array_equal(found.pixels[found.rows[0]], to_input(paths[0], geometry))


def test_unreadable_photos_keep_their_place_and_say_why(tmp_path: Path, make_photos: MakePhotos) -> None:
    good, cut = make_photos(tmp_path, "red", 2)
    cut.write_bytes(cut.read_bytes()[:300])
    empty, gone = tmp_path / "empty.jpg", tmp_path / "gone.jpg"
    empty.touch()
    for _ in range(2):  # the second time from the index
        found = decode_all([empty, good, cut, gone], GEOMETRY)
        assert list(found.rows >= 0) == [False, True, False, False]
        reasons = dict(found.failures)
        assert reasons[empty].startswith("empty")
        assert reasons[cut].startswith(("truncated", "corrupt"))
        assert "could not be opened" in reasons[gone]


def test_a_pipe_and_a_device_that_are_called_photos_are_unreadable_and_hold_nothing_up(
    tmp_path: Path, make_photos: MakePhotos
) -> None:
    (good,) = make_photos(tmp_path, "red", 1)
    pipe, device, folder = tmp_path / "pipe.jpg", tmp_path / "zero.jpg", tmp_path / "folder.jpg"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    folder.mkdir()
    found = decode_all([pipe, good, device, folder], GEOMETRY)
    assert list(found.rows >= 0) == [False, True, False, False]
    assert [reason for _, reason in found.failures] == ["unreadable: it is not a plain file"] * 3


def test_duplicates_are_stored_once(tmp_path: Path, make_photos: MakePhotos) -> None:
    paths = make_photos(tmp_path, "red", 2)
    paths[1].write_bytes(paths[0].read_bytes())
    found = decode_all(paths, GEOMETRY)
    assert list(found.rows) == [0, 0]
    assert len(found.pixels) == 1


def test_rows_that_the_index_does_not_know_are_cut_and_lost_ones_decoded_anew(
    tmp_path: Path, make_photos: MakePhotos
) -> None:
    paths = make_photos(tmp_path, "red", 3)
    decode_all(paths[:2], GEOMETRY)
    pixels = cache_folder(GEOMETRY) / "pixels.u8"
    with pixels.open("ab") as file:
        file.write(b"half a row, from a process that was killed")
    found = decode_all(paths, GEOMETRY)
    assert found.fresh == 1
    assert np.array_equal(found.pixels[found.rows[2]], to_input(paths[2], GEOMETRY))
    os.truncate(pixels, 100)
    found = decode_all(paths, GEOMETRY)
    assert found.fresh == 3
    assert np.array_equal(found.pixels[found.rows[0]], to_input(paths[0], GEOMETRY))


def test_a_damaged_index_is_begun_anew(tmp_path: Path, make_photos: MakePhotos) -> None:
    paths = make_photos(tmp_path, "red", 2)
    decode_all(paths, GEOMETRY)
    (index,) = cache_folder(GEOMETRY).glob("index-*.sqlite")
    index.write_bytes(b"not a database" * 100)
    found = decode_all(paths, GEOMETRY)
    assert np.array_equal(found.pixels[found.rows[1]], to_input(paths[1], GEOMETRY))
    with sqlite3.connect(index) as connection:
        assert connection.execute("SELECT count(*) FROM content").fetchone() == (2,)
    connection.close()


def test_a_photo_that_failed_for_want_of_memory_is_tried_again(tmp_path: Path) -> None:
    big = tmp_path / "big.png"
    Image.new("RGB", (8000, 8000)).save(big, compress_level=1)
    with memory_limit(100 << 20):
        (failure,) = decode_all([big], GEOMETRY, workers=1).failures
    assert "not enough memory" in failure[1]
    assert list(decode_all([big], GEOMETRY).rows) == [0]


def test_a_large_photo_waits_until_no_other_one_is_in_memory(tmp_path: Path, make_photos: MakePhotos) -> None:
    (small,) = make_photos(tmp_path, "red", 1)
    large, long = tmp_path / "large.png", tmp_path / "long.jpg"
    Image.new("L", (6000, 4001)).save(large, compress_level=1)
    long.write_bytes(small.read_bytes())
    os.truncate(long, PARALLEL_BYTES + 1)
    with ThreadPoolExecutor(2) as pool:
        with turn_of(PARALLEL_BYTES + 1):  # as if a large photo were in memory
            waiting = pool.submit(decode_all, [small, large], GEOMETRY), pool.submit(answered._read, long, GEOMETRY)
            for future in waiting:
                with pytest.raises(TimeoutError):
                    future.result(timeout=0.5)
        assert list(waiting[0].result().rows) == [0, 1]
        assert isinstance(waiting[1].result(), np.ndarray)


def test_a_file_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.jpg"
    huge.touch()
    os.truncate(huge, MAX_FILE_BYTES + 1)
    assert decode_all([huge], GEOMETRY).failures == ((huge, "file-too-large: 513 MiB is more than 512 MiB, the limit"),)


def test_no_fault_is_kept_because_another_codec_might_cure_it(tmp_path: Path, make_photos: MakePhotos) -> None:
    paths = make_photos(tmp_path, "red", 3)
    paths[0].write_bytes(b"")
    paths[1].write_bytes(paths[1].read_bytes()[:300])
    decode_all(paths, GEOMETRY)
    (index,) = cache_folder(GEOMETRY).glob("*.sqlite")
    assert not any(reason.encode() in index.read_bytes() for reason in Reason)


def test_another_version_of_a_decoder_decodes_all_again_and_leaves_nothing_behind(
    tmp_path: Path, make_photos: MakePhotos
) -> None:
    paths = make_photos(tmp_path, "red", 3)
    decode_all(paths, GEOMETRY)
    (index,) = cache_folder(GEOMETRY).glob("*.sqlite")
    with sqlite3.connect(index) as connection:
        assert connection.execute("SELECT words FROM decoders").fetchone() == (decoders(),)
        connection.execute("UPDATE decoders SET words = 'Pillow 12.0.0'")
    connection.close()
    older = index.with_name("index-1.sqlite")  # as the version before left it
    older.touch()
    found = decode_all(paths, GEOMETRY)
    assert found.fresh == 3
    assert "(Pillow 12.0.0)" in found.notes[0]
    assert (cache_folder(GEOMETRY) / "pixels.u8").stat().st_size == found.pixels.nbytes
    assert not older.exists()
    assert decode_all(paths, GEOMETRY).notes == ()


def test_the_decoders_are_named_with_their_versions() -> None:
    assert re.match(r"Pillow \d+\..*jpg \d.*webp \d.*pi-heif \d.*own readers \d", decoders())


@pytest.mark.parametrize("damage", [b"\0" * 4800, b"\x80"], ids=["zeroed row", "flipped bits"])
def test_a_damaged_row_is_decoded_again_alone_and_said(tmp_path: Path, make_photos: MakePhotos, damage: bytes) -> None:
    paths = make_photos(tmp_path, "red", 3)
    decode_all(paths, GEOMETRY)
    with (cache_folder(GEOMETRY) / "pixels.u8").open("r+b") as file:
        file.seek(4800)
        file.write(damage)
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(paths[1].read_bytes())
    found = decode_all([*paths, copy], GEOMETRY)
    assert found.fresh == 1
    assert found.notes == ("Damaged in the cache of decoded photos, and decoded again: 1.",)
    for path, row in zip([*paths, copy], found.rows, strict=True):
        assert np.array_equal(found.pixels[row], to_input(path, GEOMETRY))
    again = decode_all([*paths, copy], GEOMETRY)
    assert (again.fresh, again.notes) == (0, ())


def test_an_index_with_flipped_bytes_feeds_no_photo_in_the_place_of_another(
    tmp_path: Path, make_photos: MakePhotos
) -> None:
    paths = make_photos(tmp_path, "red", 12)
    wanted = [to_input(path, GEOMETRY) for path in paths]
    decode_all(paths, GEOMETRY)
    (index,) = cache_folder(GEOMETRY).glob("*.sqlite")
    whole = index.read_bytes()
    pixels = (cache_folder(GEOMETRY) / "pixels.u8").read_bytes()
    places = [place for place, byte in enumerate(whole) if byte][:: max(1, sum(map(bool, whole)) // 150)]
    for place in places:
        (cache_folder(GEOMETRY) / "pixels.u8").write_bytes(pixels)
        index.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        with suppress(TrainingError):  # the sentence says to run the same command again
            decode_all(paths, GEOMETRY)
        found = decode_all(paths, GEOMETRY)
        for row, photo in zip(found.rows, wanted, strict=True):
            assert np.array_equal(found.pixels[row], photo)


def test_what_happened_to_the_cache_is_said(make_dataset: Callable[..., Path], tmp_path: Path, story: io.StringIO,
                                            reporter: Reporter) -> None:  # fmt: skip
    recipe = Recipe(input=Input(size_px=40))
    for _ in range(2):
        prepare(make_dataset(tmp_path / "photos", count=4), None, recipe, reporter)
        for index in cache_folder(GEOMETRY).glob("*.sqlite"):
            index.write_bytes(b"not a database" * 100)
    assert "The index of the cache of decoded photos is damaged" in story.getvalue()


def test_progress_counts_every_photo(tmp_path: Path, make_photos: MakePhotos) -> None:
    ticks: list[int] = []
    decode_all([*make_photos(tmp_path, "red", 4), tmp_path / "gone.jpg"], GEOMETRY, ticks.append)
    assert sum(ticks) == 5


def test_the_cache_stands_where_the_user_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "phototriage"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path.home() / ".cache" / "phototriage"


def test_a_cache_that_cannot_be_written_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_photos: MakePhotos
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(TrainingError, match="Set XDG_CACHE_HOME"):
        decode_all(make_photos(tmp_path / "photos", "red", 1), GEOMETRY)


def test_a_look_has_a_bit_for_each_step_down_to_the_left() -> None:
    ramp = np.repeat(np.linspace(0, 255, 72, dtype=np.uint8)[None, :, None], 72, axis=0).repeat(3, axis=2)
    assert difference_hash(ramp) == 2**64 - 1
    assert difference_hash(np.ascontiguousarray(ramp[:, ::-1])) == 0

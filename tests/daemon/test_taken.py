"""When a photo was taken is read from the bytes that were decoded, where they are decoded, and only if it is wanted."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import ExifTags, Image, ImageFile

from contract.geometry import Geometry
from daemon import guard as guard_module
from daemon.decode import decode, decode_alone, decode_here
from daemon.layout import Layout
from daemon.photo import Photo
from tests.daemon.support import (
    encoded,
    identity_of,
    model_file,
    opened_filer,
    opened_guard,
    roots,
    run,
    scored,
    tree,
    write,
)
from tests.daemon.test_crew import here

SMALL = Geometry(size_px=32)
TAKEN = datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC)


def dated(size_px: int = 40, pillow_format: str = "JPEG") -> bytes:
    """Return a photo that was taken at `TAKEN`."""
    image = Image.new("RGB", (size_px, size_px), "red")
    exif = image.getexif()
    exif[ExifTags.Base.DateTime] = "2022:01:01 00:00:00"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:05:06 07:08:09"
    return encoded(image, pillow_format, exif=exif)


def photo(path: Path, data: bytes, *, wanted: bool = True) -> Photo:
    write(path, data, mtime_s=1_500_000_000)
    return Photo(path, identity_of(path), 0.0, dated=wanted)


def test_it_is_read_with_the_pixels_by_a_thread_a_readers_child_and_a_process_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with here(tmp_path) as one:
        for wanted, taken in ((True, TAKEN), (False, None)):
            by_thread, by_child, alone = (photo(path, dated(), wanted=wanted) for _ in range(3))
            decode_here(by_thread, SMALL, 0.0, one.guard)
            assert one.child(by_child)
            decode_alone(alone, SMALL, 0.0, one.guard)
            assert [each.taken for each in (by_thread, by_child, alone)] == [taken] * 3
            assert all(each.pixels is not None for each in (by_thread, by_child, alone))


def test_what_nobody_wants_to_know_is_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "taken_in", lambda _: pytest.fail("looked for"))
    with opened_guard(tmp_path / "notes") as guard:
        decode(photo(tmp_path / "a.jpg", dated(), wanted=False), SMALL, 0.0, guard)


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_decoded_once_though_its_date_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pillow_format: str
) -> None:
    data = dated(pillow_format=pillow_format)
    if pillow_format == "PNG":  # EXIF data behind the picture, for which Pillow would decode all of it
        begin, end = data.index(b"eXIf") - 4, data.index(b"IEND") - 4
        length = 12 + int.from_bytes(data[begin : begin + 4])
        chunk = data[begin : begin + length]
        data = data.replace(chunk, b"")
        end = data.index(b"IEND") - 4
        data = data[:end] + chunk + data[end:]
    loads: list[str] = []
    load = ImageFile.ImageFile.load

    def counted(image: ImageFile.ImageFile) -> object:
        if image.tile:  # not decoded yet
            loads.append(image.format or "")
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counted)
    with opened_guard(tmp_path / "notes") as guard:
        one = photo(tmp_path / "a", data)
        decode_here(one, SMALL, 0.0, guard)
    assert one.pixels is not None
    assert len(loads) <= 1
    changed = datetime(2022, 1, 1, tzinfo=UTC)  # Pillow writes no other time into a TIFF
    assert one.taken == {"PNG": None, "TIFF": changed}.get(pillow_format, TAKEN)


def test_the_filing_thread_opens_no_photo_to_find_its_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox, output = roots(tmp_path)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened"))
    known, unknown = (scored(write(inbox / name, dated(), 1_500_000_000)) for name in ("a.jpg", "b.jpg"))
    known.taken = datetime(2003, 1, 2, tzinfo=UTC)  # as the bytes said that were decoded
    with opened_filer(output, tmp_path / "l", layout=Layout("{date:%Y}/{label}/{name}")) as filer:
        filer.file([known, unknown])
    assert sorted(tree(output)) == ["2003/red/a.jpg", "2017/red/b.jpg"]


@pytest.mark.parametrize("words", [(), ("--decode-in", "processes"), ("--dry-run",)])
def test_one_pass_files_by_date_what_is_small_and_what_is_large(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "in").mkdir()
    photo(tmp_path / "in" / "small.jpg", dated())
    photo(tmp_path / "in" / "large.webp", dated(5000, "WEBP"))
    photo(tmp_path / "in" / "unknown.jpg", encoded(Image.new("RGB", (40, 40), "red")))
    arguments = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    done = run("sort", *arguments, *words, "--layout", "{date:%Y-%m-%d %H.%M.%S}/{name}")
    assert done.returncode == 0, done.stderr
    places = {"2019-05-06 07.08.09/large.webp", "2019-05-06 07.08.09/small.jpg"}
    if "--dry-run" in words:
        assert sum("2019-05-06 07.08.09" in line for line in done.stdout.splitlines()) == 2
    else:
        assert places < set(tree(tmp_path / "out"))
        assert len(tree(tmp_path / "out")) == 3

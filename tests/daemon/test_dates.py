"""When a photo was taken is read from what cameras and programs really write; a damaged tag hides no good one."""

import random
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import ExifTags, Image, ImageFile, PngImagePlugin

from daemon.decode.date_text import parse_date
from daemon.decode.exif_date import taken_at, taken_in
from daemon.photo import Photo, Read
from tests.contract.heif_files import exif, heif, picture, sample
from tests.daemon.support import encoded, identity, photo_of, write

NOW = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)
GOOD = "2019:07:14 10:11:12"


def found(data: bytes) -> datetime | None:
    return taken_in(data, 0.0, NOW.timestamp())


def said(taken: datetime | None) -> str:
    return "" if taken is None else f"{taken:%Y:%m:%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (GOOD, GOOD), ("2019:01:01 24:04:20", "2019:01:01 00:04:20"), ("2016:12:31 23:59:60", "2016:12:31 23:59:59"),
        ("2019-07-14 10:11:12", GOOD), ("2019/07/14 10:11:12", GOOD), ("2019.07.14 10.11.12", GOOD),
        ("2019-07-14T10:11:12Z", GOOD), ("2019-07-14T10:11:12+02:00", GOOD), ("2019:07:14 10:11:12.345", GOOD),
        ("2019-07-14T10:11:12.345678-07:00", GOOD), ("2019:07:14 10:11:12+0000", GOOD), ("20190714T101112", GOOD),
        ("  2019:07:14 10:11:12\0\0", GOOD), ("2019:07:14 10:11:12\xff\xff", GOOD), ("2019:07:14 10:11:12 am", GOOD),
        ("2019:07:14 10:11:12 Pacific", GOOD), ("2019:07:14 10:11:12 p.m.", "2019:07:14 22:11:12"),
        ("2019:07:14 12:11:12 AM", "2019:07:14 00:11:12"), ("2019: 7: 4 10: 2: 3", "2019:07:04 10:02:03"),
        ("2019:07:14 10:11", "2019:07:14 10:11:00"), ("2019:07:14", "2019:07:14 00:00:00"),
        ("2019:07:14   :  :  ", "2019:07:14 00:00:00"), ("2019:07:14 99:99:99", "2019:07:14 00:00:00"),
        ("1890:05:01 00:00:00", "1890:05:01 00:00:00"), ("2026:12:01 01:00:00", "2026:12:01 01:00:00"),
        ("1980:01:02 00:00:00", "1980:01:02 00:00:00"), ("2002:12:08 12:00:01", "2002:12:08 12:00:01"),
        ("", ""), ("    :  :     :  :  ", ""), ("\0" * 19, ""), ("0000:00:00 00:00:00", ""), ("yesterday", ""),
        ("2019:02:30 10:00:00", ""), ("2019:13:14 10:00:00", ""), ("2019", ""), ("2019-07", ""), ("14:07:2019", ""),
        ("0001:01:01 00:00:00", ""), ("1601:01:01 00:00:00", ""), ("1904:01:01 00:00:00", ""),
        ("1970:01:01 00:00:00", ""), ("1970:01:01 01:00:00", ""), ("1969:12:31 16:00:00", ""),
        ("1980:01:01 00:00:00", ""), ("1980:01:01 00:12:31", ""), ("2002:12:08 12:00:00", ""),
        ("2026:12:02 00:00:00", ""), ("2099:01:01 00:00:00", ""), ("9999:99:99 99:99:99", ""),
    ],
)  # fmt: skip
def test_a_date_is_understood_in_each_form_and_a_placeholder_is_none(text: str, taken: str) -> None:
    assert said(parse_date(text, NOW)) == taken


@pytest.mark.parametrize(
    "broken", ["0000:00:00 00:00:00", "    :  :     :  :  ", "\0" * 19, "1980:01:01 00:00:00", "2099:01:01 00:00:00"]
)
@pytest.mark.parametrize("good", ["DateTimeDigitized", "DateTime", "GPS", "xmp"])
def test_a_broken_tag_never_hides_a_good_one(broken: str, good: str) -> None:
    exif, xmp = Image.Exif(), b""
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = details[ExifTags.Base.DateTimeDigitized] = broken
    exif[ExifTags.Base.DateTime] = broken
    if good == "DateTime":
        exif[ExifTags.Base.DateTime] = GOOD
    elif good == "DateTimeDigitized":
        details[ExifTags.Base.DateTimeDigitized] = GOOD
    elif good == "GPS":
        exif.get_ifd(ExifTags.IFD.GPSInfo).update({29: "2019:07:14", 7: (10.0, 11.0, 12.0)})
    else:
        xmp = b'<x:xmpmeta><rdf:Description photoshop:DateCreated="2019-07-14T10:11:12.00"/>'
    assert said(found(encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif, xmp=xmp))) == GOOD


@pytest.mark.parametrize("gps", [("2019:07:14", (10, 11, 12)), ("2019:07:14", None), (None, (1, 2, 3)), ("    ", None)])
@pytest.mark.parametrize("changed", ["2019:07:13 22:11:12", "2024:01:01 00:00:00"])
def test_a_gps_date_counts_more_than_that_of_an_edit_and_less_than_local_time(
    gps: tuple[str | None, tuple[float, ...] | None], changed: str
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = changed
    day, clock = gps
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(({29: day} if day else {}) | ({7: clock} if clock else {}))
    is_edit = day == "2019:07:14" and changed.startswith("2024")
    wanted = (GOOD if clock else "2019:07:14 00:00:00") if is_edit else changed
    assert said(found(encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif))) == wanted


@pytest.mark.parametrize("damage", [b"\xff\xff\xff\xff", b"\0\0\0\0"])
def test_a_damaged_exif_block_does_not_hide_what_xmp_says(damage: bytes) -> None:
    xmp = b"<x:xmpmeta><exif:DateTimeOriginal>2019-07-14T10:11:12+02:00</exif:DateTimeOriginal>"
    exif = b"Exif\0\0MM\0*" + damage + b"nonsense"
    for pillow_format in ("JPEG", "WEBP", "AVIF"):
        data = encoded(Image.new("RGB", (8, 8)), pillow_format, exif=exif, xmp=xmp)
        assert said(found(data)) == GOOD, pillow_format


def test_a_heic_tells_when_it_was_taken() -> None:
    tags = Image.Exif()
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = GOOD
    assert said(found(heif([picture("scene"), exif(tags.tobytes()[6:], of=1)]))) == GOOD
    assert said(found(sample("scene"))) == ""


def test_a_picture_of_which_other_metadata_are_broken_tells_when_it_was_taken() -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.DateTime] = GOOD
    data = encoded(Image.new("RGB", (8, 8)), "JPEG", exif=tags)
    assert said(found(data[:2] + b"\xff\xe2\0\x0eICC_PROFILE\0" + data[2:])) == GOOD


@pytest.mark.parametrize("text", [GOOD, "Sun, 14 Jul 2019 10:11:12 +0200", "14 Jul 2019 10:11:12"])
def test_the_creation_time_of_a_png_is_read(text: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Creation Time", text)
    assert said(found(encoded(Image.new("RGB", (8, 8)), "PNG", pnginfo=info))) == GOOD


def test_a_date_later_than_the_clock_counts_where_the_file_itself_is_as_late() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = GOOD
    data = encoded(Image.new("RGB", (8, 8)), "JPEG", exif=exif)
    changed_s = datetime(2019, 7, 14, 11, 0, 0, tzinfo=UTC).timestamp()
    assert taken_in(data, 0.0, 1e9) is None
    assert said(taken_in(data, changed_s, 1e9)) == GOOD


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@pytest.mark.parametrize(
    "tag",
    ["ExifIFD:DateTimeOriginal", "ExifIFD:CreateDate", "IFD0:ModifyDate", "XMP-exif:DateTimeOriginal",
     "XMP-photoshop:DateCreated", "XMP-xmp:CreateDate"],
)  # fmt: skip
def test_what_exiftool_writes_is_read_back_from_each_format(tmp_path: Path, tag: str) -> None:
    formats = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
    paths = [write(tmp_path / f"a.{name.lower()}", encoded(Image.new("RGB", (8, 8)), name)) for name in formats]
    done = subprocess.run(["exiftool", "-q", "-q", "-overwrite_original", f"-{tag}={GOOD}", *paths])
    assert done.returncode == 0
    assert {path.name: said(found(path.read_bytes())) for path in paths} == {path.name: GOOD for path in paths}


def photo_with(path: Path, pillow_format: str = "JPEG", **tags: str) -> Photo:
    image = Image.new("RGB", (8, 8))
    exif = image.getexif()
    for name, text in tags.items():
        tag = ExifTags.Base[name]
        (exif if name == "DateTime" else exif.get_ifd(ExifTags.IFD.Exif))[tag] = text
    write(path, encoded(image, pillow_format, exif=exif), mtime_s=1_500_000_000)
    return photo_of(path)


@pytest.mark.parametrize(
    ("tags", "year"),
    [
        ({"DateTimeOriginal": "2019:05:06 07:08:09", "DateTime": "2022:01:01 00:00:00"}, 2019),
        ({"DateTimeDigitized": "2020:05:06 07:08:09"}, 2020),
        ({"DateTime": "2021:05:06 07:08:09"}, 2021),
        ({}, 2017), ({"DateTimeOriginal": "0000:00:00 00:00:00"}, 2017), ({"DateTimeOriginal": "yesterday"}, 2017),
    ],
)  # fmt: skip
def test_the_date_of_taking_is_the_cameras_else_that_of_the_last_change(
    tmp_path: Path, tags: dict[str, str], year: int
) -> None:
    photo = photo_with(tmp_path / "a.jpg", **tags)
    photo.read = Read(taken=found(photo.path.read_bytes()))
    assert taken_at(photo).year == year


def test_a_file_that_cannot_be_read_was_taken_when_it_changed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", b"no photo", mtime_s=1_500_000_000)
    assert found(path.read_bytes()) is None
    assert taken_at(photo_of(path)).year == 2017


@pytest.mark.parametrize("pillow_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_damaged_headers_still_give_a_date(tmp_path: Path, pillow_format: str) -> None:
    chance = random.Random(pillow_format)
    whole = photo_with(tmp_path / "a.jpg", pillow_format, DateTimeOriginal="2019:05:06 07:08:09").path.read_bytes()
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            data[chance.randrange(min(len(data), 400))] = chance.choice((0, 255, chance.randrange(256)))
        found(bytes(data))


def test_a_picture_without_a_date_is_not_decoded_to_find_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    assert found(encoded(Image.new("RGB", (8, 8)), "PNG")) is None


def test_a_time_that_no_calendar_has_is_the_beginning_of_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", b"no photo")
    assert taken_at(photo_of(path, identity(mtime_ns=10**21))).year == 1970

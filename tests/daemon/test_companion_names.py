"""Which photo a file belongs to: the names that cameras, phones, exports and editors give to the files of one shot."""

from itertools import permutations
from pathlib import Path
from random import Random

import pytest

from daemon.files.companion_names import candidates, companion_name, is_companion, name_ranges, rank
from daemon.photo import Outcome, Photo
from tests.daemon.house import House, told
from tests.daemon.support import companion, opened_filer, roots, scored, tree, write

LONG = "a_really_long_name_of_a_photo_that_somebody_gave_it"
SHOTS = {
    # Google Takeout
    "IMG_1.jpg": [
        *("IMG_1.jpg.json", "IMG_1.jpg.supplemental-metadata.json", "IMG_1.supplemental-metadata.json", "IMG_1.json"),
        *("IMG_1.MP4", "IMG_1.MP4.json", "IMG_1.MP4.supplemental-metadata.json", "IMG_1.jpg.suppl.json"),
        *("IMG_1.jpg.s.json", "IMG_1.jpg..json"),
        # cameras and editors
        *("IMG_1.CR2", "IMG_1.xmp", "IMG_1.XMP", "IMG_1.jpg.xmp", "IMG_1.CR2.xmp", "IMG_1.CR2.dop", "IMG_1.jpg.dop"),
        *("IMG_1.pp3", "IMG_1.jpg.pp3", "IMG_1.CR2.pp3", "IMG_1.CR2.arp", "IMG_1.on1", "IMG_1.CR2.nksc", "IMG_1.vrd"),
        *("IMG_1.cos", "IMG_1.THM", "IMG_1.WAV", "IMG_1.txt", "IMG_1.jpg.txt", "IMG_1.LRV", "IMG_1.aae", "IMG_1.MOV"),
        *("IMG_1_01.jpg.xmp", "IMG_1_02.CR2.xmp", "IMG_1_HEVC.MOV"),
    ],
    "IMG_20240101_120000123.jpg": ["IMG_20240101_120000123.jpg.supplemental-me.json", "IMG_20240101_120000123.mp4"],
    "IMG_3(1).JPG": [
        *("IMG_3.JPG(1).json", "IMG_3.jpg.supplemental-metadata(1).json", "IMG_3(1).JPG.json", "IMG_3(1).MP4"),
        *("IMG_3.MP4.supplemental-metadata(1).json", "IMG_3(1).xmp"),
    ],
    "IMG_4-edited.jpg": ["IMG_4.jpg.json", "IMG_4.jpg.supplemental-metadata.json", "IMG_4-edited.xmp"],
    "IMG_5-bearbeitet(2).jpg": ["IMG_5.jpg.supplemental-metadata(2).json"],
    f"{LONG}.jpg": [f"{LONG[:46]}.json", f"{LONG}.xmp", f"{LONG}.jpg.xmp"],
    f"{LONG}(1).jpg": [f"{LONG[:46]}(1).json"],
    "PXL_20240101_120000123.LONG_EXPOSURE-01.COVER.jpg": [
        *(
            "PXL_20240101_120000123.LONG_EXPOSURE-01.COVER..json",
            "PXL_20240101_120000123.LONG_EXPOSURE-01.COVER.j.json",
        ),
        "PXL_20240101_120000123.LONG_EXPOSURE-02.ORIGINAL.dng",
    ],
    # Pixel, iOS
    "PXL_1.RAW-01.COVER.jpg": ["PXL_1.RAW-02.ORIGINAL.dng", "PXL_1.RAW-02.ORIGINAL.dng.xmp", "PXL_1.MP4"],
    "PXL_2.RAW-01.MP.COVER.jpg": ["PXL_2.RAW-02.ORIGINAL.dng", "PXL_2.RAW-01.MP.COVER.jpg.supplemental.json"],
    "PXL_3.MP.jpg": ["PXL_3.MP", "PXL_3.dng", "PXL_3.MP.jpg.supplemental-metadata.json", "PXL_3.MP.json"],
    "PXL_4.MP~2.jpg": ["PXL_4.MP~2"],
    "IMG_1234.HEIC": ["IMG_1234.AAE", "IMG_O1234.AAE", "IMG_1234.MOV", "IMG_1234_HEVC.MOV", "IMG_1234.HEIC.json"],
    "IMG_E1235.HEIC": ["IMG_E1235.MOV", "IMG_O1235.AAE", "IMG_1235.AAE"],
    "20240101_120000.jpg": ["20240101_120000.mp4"],
}
PAIRS = [(photo, companion) for photo, companions in SHOTS.items() for companion in companions]


@pytest.mark.parametrize(("photo", "companion"), PAIRS)
def test_a_companion_belongs_to_its_photo_and_follows_it_under_its_number_in_its_own_form(
    photo: str, companion: str
) -> None:
    assert is_companion(Path(companion))
    fits = rank(companion, photo)
    assert fits is not None
    found = any(first <= photo < last for first, last in name_ranges(companion))
    assert found, "the ledger would not be asked for it"
    stem, dot, extension = photo.rpartition(".")
    renamed = f"{stem}-1{dot}{extension}"
    name = companion_name(Path("in", companion), Path("in", photo), Path("out", renamed))
    assert "-1" in name
    assert Path(name).suffix.partition("~")[0] == Path(companion).suffix.partition("~")[0]
    assert is_companion(Path(name))
    assert rank(name, renamed) is not None, name
    assert companion_name(Path("in", companion), Path("in", photo), Path("out", photo)) == companion


@pytest.mark.parametrize(
    ("photo", "companion"),
    [
        ("IMG_1.jpg", "IMG_10.xmp"), ("IMG_10.jpg", "IMG_1.xmp"), ("a.jpg", "a.png.xmp"), ("a.jpg", "A.xmp"),
        ("IMG_3.jpg", "IMG_3.jpg(1).json"), ("IMG_3(1).jpg", "IMG_3.jpg.json"), ("IMG_3(2).jpg", "IMG_3.jpg(1).json"),
        (f"{LONG}.jpg", f"{LONG[:46]}(1).json"), (f"{LONG}.jpg", f"{LONG[:30]}.json"),
        (f"{LONG}.jpg", f"{LONG[:46]}.xmp"),
        ("IMG_4-edited.jpg", "IMG_4.jpg.xmp"), ("IMG_4-edited.jpg", "IMG_5.jpg.json"), ("IMG_8.jpg", "IMG_8_1.jpg.xmp"),
        ("IMG_8.jpg", "IMG_8_01.jpg.pp3"), ("IMG_6.jpg", "IMG_6_HEVC.xmp"), ("PXL_1.RAW-01.COVER.jpg", "PXL_2.dng"),
        ("PXL_1.jpg", "PXL_2.MP"), ("IMG_1234.HEIC", "IMG_O1235.AAE"), ("album.jpg", "metadata.json"),
    ],
)  # fmt: skip
def test_a_name_that_only_looks_alike_belongs_to_another_photo(photo: str, companion: str) -> None:
    assert rank(companion, photo) is None


@pytest.mark.parametrize(
    ("companion", "photos"),
    [
        ("IMG_1.mov", ["IMG_1.heic", "IMG_1.JPG", "IMG_1.png"]), ("IMG_1.aae", ["IMG_1.HEIC", "IMG_1.jpg"]),
        ("IMG_1.xmp", ["IMG_1.jpg", "IMG_1.heic", "IMG_1.tif"]), ("IMG_1.CR2.xmp", ["IMG_1.JPG", "IMG_1.heic"]),
        ("IMG_1.heic.xmp", ["IMG_1.heic"]), ("IMG_1.jpg.json", ["IMG_1.jpg", "IMG_1-edited.jpg"]),
        ("IMG_O1234.AAE", ["IMG_1234.HEIC", "IMG_E1234.HEIC"]), ("PXL_1.MP", ["PXL_1.MP.jpg", "PXL_1.jpg"]),
        ("IMG_1_01.jpg.xmp", ["IMG_1_01.jpg", "IMG_1.jpg"]), ("IMG_1_01.xmp", ["IMG_1_01.jpg"]),
    ],
)  # fmt: skip
def test_of_several_photos_a_rule_decides(companion: str, photos: list[str]) -> None:
    ranks = [rank(companion, photo) for photo in photos]
    assert None not in ranks
    assert ranks == sorted(ranks, key=lambda fits: fits or ()), photos
    assert len(set(ranks)) == len(ranks)
    listed = [fits for fits, _ in candidates(companion)]
    assert listed == sorted(listed)
    assert (ranks[0], photos[0]) in list(candidates(companion))


def part(path: Path) -> Photo:
    """Return a companion as it comes out of the decoder."""
    return companion(path)


@pytest.mark.parametrize("photos", [("IMG_1.heic", "IMG_1.jpg"), ("IMG_1.jpg", "IMG_1-edited.jpg")])
def test_the_same_photo_gets_a_companion_in_whatever_order_they_are_filed(
    tmp_path: Path, photos: tuple[str, str]
) -> None:
    companion = "IMG_1.mov" if photos[0].endswith("heic") else "IMG_1.jpg.json"
    for number, order in enumerate(permutations((*photos, companion))):
        folder = tmp_path / str(number)
        folder.mkdir()
        inbox, output = roots(folder)
        for name in order:
            write(inbox / name, name.encode())
        with opened_filer(output, folder / "l") as filer:
            for name in order:
                colour = "red" if name == photos[0] else "green"
                filer.file([part(inbox / name) if name == companion else scored(inbox / name, colour)])
        assert sorted(tree(output)) == sorted((f"red/{photos[0]}", f"green/{photos[1]}", f"red/{companion}")), order


@pytest.mark.parametrize("seed", range(24))
def test_the_files_of_one_shot_end_together_under_one_number_and_undo_restores_their_names(
    tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    photo = random.choice([*SHOTS, "IMG_1.jpg", "IMG_1.jpg"])
    names = [photo, *random.sample(SHOTS[photo], random.randint(1, len(SHOTS[photo])))]
    random.shuffle(names)
    house = House(tmp_path / "house")
    (house.output / "red").mkdir()
    numbered = random.random() < 0.5
    if numbered:
        write(house.output / "red" / photo, b"theirs")
    with opened_filer(house.output, house.path) as filer:
        waiting = list(names)
        while waiting:
            batch, waiting = waiting[: (most := random.randint(1, 4))], waiting[most:]
            for name in batch:
                write(house.inbox / name, name.encode())
            files = [scored(house.inbox / name) if name == photo else part(house.inbox / name) for name in batch]
            filer.file(files)
    filed = set(tree(house.output / "red")) - ({photo} if numbered else set())
    assert tree(house.inbox) == {}
    assert len(filed) == len(names)
    assert all("-1" in name for name in filed) if numbered else filed == set(names)
    rows = told("undo", "--last", "1")
    assert len(rows) == len(names)
    assert {name: name.encode() for name in names} == tree(house.inbox)
    assert Outcome.UNDONE.value == told("history")[0]["state"]

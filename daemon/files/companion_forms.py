"""Names that companions (sidecars, films, raw data) ask for, and names that photos answer to.

A companion names its photo whole (`IMG_1.jpg.xmp`) or without extension (`IMG_1.xmp`). Programs add forms of their own:

- a companion of a companion: `IMG_1.CR2.xmp` names `IMG_1.CR2`, and so the photo of that raw file;
- Google Takeout: `IMG_1.jpg.supplemental-metadata.json`, cut so that the name has at most 51 characters. Its number
  stands at another place than the photo's: `IMG_1.jpg(1).json` names `IMG_1(1).jpg`. `IMG_1-edited.jpg` has no file of
  its own and shares that of `IMG_1.jpg`;
- Pixel: `PXL_1.RAW-02.ORIGINAL.dng` beside `PXL_1.RAW-01.COVER.jpg`, `PXL_1.MP` beside `PXL_1.MP.jpg`;
- iOS: `IMG_O1234.AAE` beside `IMG_1234.HEIC` and its edit `IMG_E1234.HEIC`; icloudpd: `IMG_1_HEVC.MOV`;
- darktable: `IMG_1_01.jpg.xmp` is a second edit of `IMG_1.jpg`.
"""

import re
from functools import lru_cache

from contract.formats import PHOTO_EXTENSIONS

_RAW = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mos", ".mrw"),
    *(".nef", ".nrw", ".orf", ".pef", ".ptx", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
FILMS = (".mov", ".mp4", ".mp", ".lrv")
EDITED = (".xmp", ".aae", ".json", ".dop", ".pp3", ".arp", ".on1", ".nksc", ".vrd", ".cos", ".txt")
COMPANION_EXTENSIONS = frozenset((*_RAW, *FILMS, *EDITED, ".thm", ".wav"))
SUPPLEMENTAL = ".supplemental-metadata"
_CUT = range(41, 52)
"""How many characters Takeout leaves of a name, without `.json`: 46 as a rule."""
_NUMBER = re.compile(r"(.+?)(\(\d+\))?", re.DOTALL)
_EDITED = re.compile(
    r"(.+)-(?:edited|bearbeitet|modifié|editad[oa]|modificato|bewerkt|redigeret|edytowane|編集済み)(\(\d+\)|-\d+)?",
    re.DOTALL,
)
_PIXEL = re.compile(
    r"(.+?)(?:\.(?:RAW-\d+|PORTRAIT-\d+|LONG_EXPOSURE-\d+|ACTION_PAN-\d+|NIGHT|PANO|MP|COVER|ORIGINAL))+"
    r"((?:~\d+)?(?:\(\d+\)|-\d+)?)",
    re.DOTALL,
)
PIXEL_FORMS = (".RAW-01.COVER", ".RAW-01.MP.COVER", ".MP", ".NIGHT", ".PORTRAIT-01.COVER")
PIXEL_EXTENSIONS = (".jpg", ".heic")
_IOS = re.compile(r"(IMG_)[EO](\d{4}.*)", re.DOTALL)
IOS_ORIGINAL = re.compile(r"(IMG_)(\d{4}.*)", re.DOTALL)
_DARKTABLE = re.compile(r"(.+)_\d\d", re.DOTALL)
_ICLOUDPD = "_HEVC"


@lru_cache(4096)  # asked several times for each companion
def photo_names(companion: str) -> tuple[str, ...]:
    """Return the names that a companion asks for, the surest first: of a photo without or with its extension.

    `edited/NAME` and `cut/NAME` ask for an edit of that photo, and for a photo whose name begins so.
    """
    stem, extension = split(companion)
    if extension == ".json":
        names = _of_takeout(stem)
    elif extension_of(companion) == ".mp":  # a Pixel's film is called like its photo, without `.jpg`
        names = [companion, *_of_stem(stem + extension.removeprefix(".mp"), extension), *_of_stem(stem, extension)]
    else:
        names = _of_stem(stem, extension)
    return tuple(dict.fromkeys(names))


def answers_to(photo: str) -> tuple[str, ...]:
    """Return the names that a photo answers to, the surest first."""
    stem, extension = split(photo)
    names = [stem + extension, stem, *_looser(stem)]
    if edited := _EDITED.fullmatch(stem):
        names.append(f"edited/{edited[1]}{edited[2] or ''}{extension}")
    if len(photo) > _CUT[0]:
        bare, number = numbered_apart(stem)
        names += (f"cut/{(bare + extension)[:length]}{number}" for length in _CUT if length < len(bare + extension))
    return tuple(names)


def split(name: str) -> tuple[str, str]:
    """Split a name into its stem and its last extension in lower case."""
    stem, dot, extension = name.rpartition(".")
    return (stem, f".{extension.lower()}") if stem and dot else (name, "")


def extension_of(name: str) -> str:
    """Return the lower-case extension of a name; that of the film `PXL_1.MP~2` is `.mp`."""
    extension = split(name)[1]
    return ".mp" if extension.startswith(".mp~") else extension


def all_parted(name: str) -> tuple[str, str]:
    """Split a name into its stem and all its endings: `IMG_1` and `.CR2.xmp`."""
    stem, ending = name, ""
    while (extension := extension_of(stem)) in COMPANION_EXTENSIONS or (ending and extension in PHOTO_EXTENSIONS):
        ending = stem[len(split(stem)[0]) :] + ending
        stem = split(stem)[0]
    return stem, ending


def _of_stem(stem: str, extension: str) -> list[str]:
    """Return the names that a companion of this stem asks for."""
    inner, inner_extension = split(stem)
    if inner_extension in PHOTO_EXTENSIONS:
        names = [inner + inner_extension]
    elif extension_of(stem) in COMPANION_EXTENSIONS:
        names = list(photo_names(stem))
    elif extension in FILMS and stem.endswith(_ICLOUDPD):
        return [stem.removesuffix(_ICLOUDPD)]
    else:
        loose = _looser(stem)
        names = loose if stem.startswith("IMG_O") and loose else [stem, *loose]
    edit = _DARKTABLE.fullmatch(inner) if extension == ".xmp" and inner_extension else None
    return [*names, *_of_stem(edit[1] + stem[len(inner) :], "")] if edit else names


def _looser(stem: str) -> list[str]:
    """Return the name of the shot without what a phone adds for one of its files."""
    if pixel := _PIXEL.fullmatch(stem):
        return [pixel[1] + pixel[2]]
    if ios := _IOS.fullmatch(stem):
        return [ios[1] + ios[2]]
    return []


def _of_takeout(stem: str) -> list[str]:
    bare, number = numbered_apart(stem)
    base = bare
    inner, dot, last = bare.rpartition(".")
    if inner and dot and SUPPLEMENTAL.startswith(f".{last}"):
        base = inner
    names: list[str] = []
    first, extension = split(base)
    if extension in PHOTO_EXTENSIONS:
        names.append(f"{first}{number}{extension}")
        if number and first.endswith(number):  # some exports have the number twice
            names.append(first + extension)
        names += [f"edited/{name}" for name in names]
        return [*names, f"cut/{bare}{number}"] if base == bare and len(bare) in _CUT else names
    if extension_of(base) in COMPANION_EXTENSIONS:
        return list(photo_names(f"{first}{number}{base[len(first) :]}"))
    names = [base + number, *_looser(base + number)] if base == bare else [bare + number, base + number]
    return [*names, f"cut/{bare}{number}"] if len(bare) in _CUT else names


def numbered_apart(stem: str) -> tuple[str, str]:
    """Split a stem from the number in parentheses at its end."""
    found = _NUMBER.fullmatch(stem)
    return (found[1], found[2] or "") if found else (stem, "")

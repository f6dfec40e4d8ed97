"""Which photo a companion (a sidecar, a film, raw data) belongs to by its name, and its name beside that photo."""

from collections.abc import Iterator
from pathlib import Path

from contract.formats import PHOTO_EXTENSIONS
from daemon.files.companion_forms import (
    COMPANION_EXTENSIONS,
    EDITED,
    FILMS,
    IOS_ORIGINAL,
    PIXEL_EXTENSIONS,
    PIXEL_FORMS,
    SUPPLEMENTAL,
    all_parted,
    answers_to,
    extension_of,
    numbered_apart,
    photo_names,
    split,
)
from daemon.files.limits import MAX_NAME_BYTES
from daemon.files.names import shortened

WAITS = "it waits for the photo of the same name"
NOTE = ".why.txt"
"""Ending of the note beside a failed photo, which is no companion."""

Rank = tuple[int, int, int]
"""How well a photo fits: place of the name that it answers to among those the companion asks for; how it answers (whole
name, stem, looser form); place of its extension. The lowest is the best."""

_HEIC, _JPEG = (".heic", ".heif", ".hif"), (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo")
_OTHERS = tuple(sorted(PHOTO_EXTENSIONS.difference(_HEIC, _JPEG)))
_OF_FILMS = (*_HEIC, *_JPEG, *_OTHERS)
"""Order of a film's and an `.aae`'s photos: phones make both beside the HEIC, and a JPEG is exported from that."""
_OF_OTHERS = (*_JPEG, *_HEIC, *_OTHERS)


def is_companion(path: Path) -> bool:
    """Tell by its name whether a file belongs to a photo."""
    return extension_of(path.name) in COMPANION_EXTENSIONS and not path.name.lower().endswith(NOTE)


def is_edited(path: Path) -> bool:
    """Tell by its name whether a companion holds edits or descriptions, which programs write again and again."""
    return extension_of(path.name) in EDITED


def rank(companion: str, photo: str) -> Rank | None:
    """Return how well a photo fits a companion; None if they do not belong together."""
    answers = answers_to(photo)
    for place, name in enumerate(photo_names(companion)):
        if name in answers:
            order, extension = _order(companion), split(photo)[1]
            return place, answers.index(name), order.index(extension) if extension in order else len(order)
    return None


def candidates(companion: str) -> Iterator[tuple[Rank, str]]:
    """Yield names that the companion's photo may have, the best first; a photo may also have another one."""
    order = _order(companion)
    for place, name in enumerate(photo_names(companion)):
        if name.startswith("cut/"):
            continue
        stem, extension = split(name.removeprefix("edited/"))
        if name.startswith("edited/"):
            yield (place, 2, order.index(extension)), f"{stem}-edited{extension}"
        elif extension in PHOTO_EXTENSIONS:
            yield from (((place, 0, order.index(extension)), stem + form) for form in (extension, extension.upper()))
        elif name.startswith("PXL_"):
            forms = PIXEL_FORMS if "." not in name else ()
            named = [(1, name), *((2, name + form) for form in forms)]
            yield from sorted(
                ((place, how, order.index(one)), called + one) for how, called in named for one in PIXEL_EXTENSIONS
            )
        else:
            edit = IOS_ORIGINAL.fullmatch(name)
            for how, called in ((1, name), *(((2, f"{edit[1]}E{edit[2]}"),) if edit else ())):
                for number, one in enumerate(order):
                    yield from (((place, how, number), called + form) for form in (one, one.upper()))


def name_ranges(companion: str) -> list[tuple[str, str]]:
    """Return ranges of names, from the first to before the last, in which a companion's photo lies."""
    ranges: dict[tuple[str, str], None] = {}
    for name in photo_names(companion):
        if name.startswith("cut/"):
            cut = numbered_apart(name.removeprefix("cut/"))[0]
            ranges[cut, cut + "\U0010ffff"] = None
            continue
        stem, extension = split(name.removeprefix("edited/"))
        base = stem if extension in PHOTO_EXTENSIONS else name
        ranges[base, base + "\0"] = None
        ranges[base + ".", base + "/"] = None
        if name.startswith("edited/"):
            bare = numbered_apart(stem)[0]
            ranges[bare + "-", bare + "."] = None
        elif edit := IOS_ORIGINAL.fullmatch(base):
            ranges[f"{edit[1]}E{edit[2]}.", f"{edit[1]}E{edit[2]}/"] = None
    return list(ranges)


def companion_name(companion: Path, photo: Path, destination: Path, most: int = MAX_NAME_BYTES) -> str:
    """Return a companion's name beside its filed photo, whose name may have changed: the same number in its own form.

    Args:
        companion: its path in the inbox.
        photo: the photo's path in the inbox.
        destination: the photo's path in the output.
        most: longest name in bytes.
    """
    name = companion.name
    if destination.name != photo.name:
        forms = _forms(name, photo, destination)
        name = next((form for form in forms if rank(form, destination.name) is not None), forms[-1])
    stem, ending = all_parted(name)
    return shortened(stem, ending, most)


def _forms(name: str, photo: Path, destination: Path) -> list[str]:
    """Return the names that a companion may get beside its renamed photo, the most similar first."""
    stem, ending = all_parted(name)
    own = name[len(split(name)[0]) :]
    forms = []
    if name.startswith(f"{photo.name}."):
        forms.append(destination.name + name[len(photo.name) :])
    if name.startswith(photo.stem) and name != photo.stem:
        forms.append(destination.stem + name[len(photo.stem) :])
    if destination.stem.startswith(photo.stem):
        forms.append(stem + destination.stem[len(photo.stem) :] + ending)
    if SUPPLEMENTAL in name:
        forms.append(destination.name + SUPPLEMENTAL + own)
    return [*forms, destination.name + own]


def _order(companion: str) -> tuple[str, ...]:
    """Return the photo's extensions in the order in which they fit: by what the innermost companion is."""
    own = [part for part in all_parted(companion)[1].lower().split(".") if f".{part}" in COMPANION_EXTENSIONS]
    return _OF_FILMS if own and f".{own[0]}" in (*FILMS, ".aae") else _OF_OTHERS

"""Names of files: numbered where one is taken, shortened where one is too long, hidden while a copy is made."""

import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from daemon.files.limits import MAX_NAME_BYTES, SAFE_NAME_BYTES, most_bytes

MAX_EXTENSION_BYTES = 32
HIDDEN_ENDING = ".phototriage-part"


def free_name(
    folder: Path, name: str, taken: Callable[[Path], bool] = lambda _: False, longest: int = MAX_NAME_BYTES
) -> Path:
    """Return a free one of `name`, `name-1`, `name-2`... in a folder, no longer than its file system allows.

    It follows a taken one and, without gaps among these, is the first.

    Args:
        folder: where the file goes; need not exist.
        name: the file's name, kept with its extension.
        taken: tells of names that are promised to others.
        longest: bytes of a name, where less is known to be taken than the file system says.
    """
    # A numbered name is no longer than a long one that is taken: what a file system says of its limit may be untrue.
    most = min(longest, most_bytes(folder), max(SAFE_NAME_BYTES, len(os.fsencode(name))))

    def is_free(number: int) -> bool:
        path = folder / numbered(name, number, most)
        return not taken(path) and not os.path.lexists(path)

    return folder / numbered(name, free_number(is_free), most)


def free_number(is_free: Callable[[int], bool]) -> int:
    """Return a number that is free and follows a taken one, or 0; in twice as many looks as it has binary digits.

    One look a number would make the n-th photo of one name cost n looks, and n of them n squared.
    """
    low, high = -1, 0
    while not is_free(high):
        low, high = high, max(1, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_free(middle) else (middle, high)
    return high


def candidates(name: str, most: int = MAX_NAME_BYTES) -> Iterator[str]:
    """Yield a name, and the same with 1, 2, 3... before its extension."""
    return (numbered(name, number, most) for number in count())


def numbered(name: str, number: int, most: int = MAX_NAME_BYTES) -> str:
    """Return a name with a number before its extension, at most `most` bytes long; 0 leaves it alone if it fits."""
    if number == 0 and len(name) <= most and len(os.fsencode(name)) <= most:
        return name
    stem, extension = parted(name)
    return shortened(stem, f"-{number}{extension}" if number else extension, most)


def parted(name: str) -> tuple[str, str]:
    """Split a name into stem and extension; what is too long to be an extension belongs to the stem."""
    stem, extension = Path(name).stem, Path(name).suffix
    return (name, "") if len(os.fsencode(extension)) > MAX_EXTENSION_BYTES else (stem, extension)


def shortened(stem: str, ending: str, most: int = MAX_NAME_BYTES) -> str:
    """Join a stem and an ending, cutting the stem (between characters) so that the whole fits into `most` bytes."""
    cut = os.fsencode(stem)[: max(1, most - len(os.fsencode(ending)))]
    try:
        stem.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8, as Python carries them in names: any byte may be the last
        return os.fsdecode(cut) + ending
    return cut.decode(errors="ignore") + ending


def hidden_name(*facts: str | bytes, ending: str = HIDDEN_ENDING) -> str:
    """Return the name of a copy that is being made, or the like: the same for the same facts, and always short enough.

    It holds nothing of the photo's own name, which may fill its folder's limit by itself.
    """
    token = hashlib.sha256(b"\0".join(os.fsencode(fact) for fact in facts)).hexdigest()[:32]
    return f".{token}{ending}"

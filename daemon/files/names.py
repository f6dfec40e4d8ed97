"""Names of files: numbered if taken, shortened if too long, hidden while a copy is made."""

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
    """Return a free path among `name`, `name-1`, `name-2`... in a folder, no longer than its file system allows.

    The free number follows a taken one; if the taken numbers have no gaps, it is the first free one.

    Args:
        folder: the destination; need not exist.
        name: the file's name; its extension is kept.
        taken: tells whether a path is reserved.
        longest: longest name in bytes, if the file system accepts less than it reports.
    """
    # A numbered name is no longer than the taken name: the limit that a file system reports may be wrong.
    most = min(longest, most_bytes(folder), max(SAFE_NAME_BYTES, len(os.fsencode(name))))

    def is_free(number: int) -> bool:
        path = folder / numbered(name, number, most)
        return not taken(path) and not os.path.lexists(path)

    return folder / numbered(name, free_number(is_free), most)


def free_number(is_free: Callable[[int], bool]) -> int:
    """Return 0 if it is free, otherwise a free number that follows a taken one.

    A binary search needs twice as many checks as the number has binary digits. Checking number after number would cost
    n checks for the n-th photo of a name, and n squared for n photos.
    """
    low, high = -1, 0
    while not is_free(high):
        low, high = high, max(1, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_free(middle) else (middle, high)
    return high


def candidates(name: str, most: int = MAX_NAME_BYTES) -> Iterator[str]:
    """Yield a name, then the name with 1, 2, 3... before its extension."""
    return (numbered(name, number, most) for number in count())


def numbered(name: str, number: int, most: int = MAX_NAME_BYTES) -> str:
    """Return a name with a number before its extension, at most `most` bytes long; 0 leaves it alone if it fits."""
    if number == 0 and len(name) <= most and len(os.fsencode(name)) <= most:
        return name
    stem, extension = parted(name)
    return shortened(stem, f"-{number}{extension}" if number else extension, most)


def parted(name: str) -> tuple[str, str]:
    """Split a name into stem and extension; an extension that is too long belongs to the stem."""
    stem, extension = Path(name).stem, Path(name).suffix
    return (name, "") if len(os.fsencode(extension)) > MAX_EXTENSION_BYTES else (stem, extension)


def shortened(stem: str, ending: str, most: int = MAX_NAME_BYTES) -> str:
    """Join a stem and an ending, cutting the stem (between characters) so that the whole fits into `most` bytes."""
    cut = os.fsencode(stem)[: max(1, most - len(os.fsencode(ending)))]
    try:
        stem.encode()
    except UnicodeEncodeError:  # the name is not UTF-8: cut at any byte
        return os.fsdecode(cut) + ending
    return cut.decode(errors="ignore") + ending


def hidden_name(*facts: str | bytes, ending: str = HIDDEN_ENDING) -> str:
    """Return a hidden name, for example of an unfinished copy: the same for the same facts, and always short enough.

    It does not contain the photo's name, which alone may reach the limit of its folder.
    """
    token = hashlib.sha256(b"\0".join(os.fsencode(fact) for fact in facts)).hexdigest()[:32]
    return f".{token}{ending}"

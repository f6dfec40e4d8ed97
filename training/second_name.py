"""Give a photo a second name without overwriting a file; used by `check-data` and by sorted test photos."""

import errno
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

MAX_STEM_BYTES = 240  # of the 255 bytes of a name, to leave room for a number and the extension
MAX_ENDING = 20

_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


def free_names(wanted: Path) -> Iterator[Path]:
    """Yield the name itself, then numbered names within the 255 bytes of a file name."""
    yield wanted
    suffix = wanted.suffix[:MAX_ENDING]
    stem = os.fsdecode(os.fsencode(wanted.stem)[: MAX_STEM_BYTES - len(os.fsencode(suffix))])
    for number in count(2):
        yield wanted.with_name(f"{stem}-{number}{suffix}")


def link_or_copy(source: Path, target: Path) -> None:
    """Create a hard link under a second name, or a copy if the file system cannot link.

    Raises:
        FileExistsError: the name is taken; nothing is overwritten.
    """
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    with source.open("rb") as old, target.open("xb") as new:
        try:
            shutil.copyfileobj(old, new, 1 << 20)
            new.flush()
            os.fsync(new.fileno())
        except BaseException:
            target.unlink()
            raise
    shutil.copystat(source, target)

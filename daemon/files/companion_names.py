"""Names of companions, files that belong to a photo: sidecars, films and raw data."""

from pathlib import Path

from daemon.files.limits import MAX_NAME_BYTES
from daemon.files.names import shortened

_RAW = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mos", ".mrw"),
    *(".nef", ".nrw", ".orf", ".pef", ".ptx", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)

COMPANION_EXTENSIONS = frozenset((".xmp", ".aae", ".json", ".mov", *_RAW))

WAITS = "it waits for the photo of the same name"


def is_companion(path: Path) -> bool:
    """Tell by its name whether a file belongs to a photo."""
    return path.suffix.lower() in COMPANION_EXTENSIONS


def companion_name(companion: Path, photo: Path, destination: Path, most: int = MAX_NAME_BYTES) -> str:
    """Return a companion's name beside its filed photo, whose stem may have changed.

    Args:
        companion: its path in the inbox.
        photo: the photo's path in the inbox.
        destination: the photo's path in the output.
        most: longest name in bytes.
    """
    whole = companion.stem == photo.name  # such as IMG_1.jpg.xmp
    return shortened(destination.name if whole else destination.stem, companion.suffix, most)

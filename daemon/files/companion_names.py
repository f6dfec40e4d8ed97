"""Which names belong to a photo's companions: sidecars, films and raw data."""

from pathlib import Path

from daemon.files.limits import MAX_NAME_BYTES
from daemon.files.names import shortened

_RAW = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mos", ".mrw"),
    *(".nef", ".nrw", ".orf", ".pef", ".ptx", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)

COMPANION_EXTENSIONS = frozenset((".xmp", ".aae", ".json", ".mov", *_RAW))

WAITS = "it waits for the photo whose name it shares"


def is_companion(path: Path) -> bool:
    """Tell by its name whether a file belongs to a photo."""
    return path.suffix.lower() in COMPANION_EXTENSIONS


def companion_name(companion: Path, photo: Path, destination: Path, most: int = MAX_NAME_BYTES) -> str:
    """Return the name of a companion beside its photo, which may have got another stem there, in `most` bytes."""
    whole = companion.stem == photo.name  # as of IMG_1.jpg.xmp
    return shortened(destination.name if whole else destination.stem, companion.suffix, most)

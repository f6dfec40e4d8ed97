"""Names that are always left alone: hidden and unfinished files, and what programs and devices keep for themselves.

One table, which docs/daemon.md repeats. Thumbnails, deleted photos and the insides of a photo library look like photos;
a library is damaged if a file of it is moved. Upper and lower case do not matter, as on the systems that make most of
them.
"""

import os
import re
from pathlib import Path

from daemon.intake.names.uploads import WHY, rest_s

UNFINISHED = frozenset(("part", "crdownload", "filepart", "partial", "tmp", "download"))
"""Endings of unfinished files, whatever stands before them; daemon/intake/names/uploads.py knows more of photos."""

JUNK_FILES = frozenset((
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "zbthumbnail.info"),
    *("icon\r", "sync.ffs_db"),
))  # fmt: skip
_JUNK_BEGINNINGS = ("synofile_thumb_", "synophoto_thumb_")

JUNK_FOLDERS = frozenset((
    *("@eadir", "@tmp", "@synoresource", "@sharesnap", "#recycle", "#snapshot"),  # Synology
    *("@recycle", "@recently-snapshot", "@transcode", "@__thumb"),  # QNAP
    *("trashbox", "network trash folder", "temporary items", "thevolumesettingsfolder"),  # Buffalo, AFP servers
    *("$recycle.bin", "recycler", "recycled", "system volume information"),  # Windows
    *("lost+found", "lost.dir", "__macosx"),  # Linux, Android, archives of macOS
    *("_gsdata_", "_syncapp"),  # GoodSync, Allway Sync
    *("captureone", "ipod photo cache"),  # caches of Capture One and iTunes
    *("files_trashbin", "files_versions"),  # Nextcloud
))  # fmt: skip
JUNK_FOLDER_ENDINGS = frozenset((
    *("photoslibrary", "photolibrary", "migratedphotolibrary", "aplibrary", "migratedaplibrary", "apvault"),  # Apple
    *("photoboothlibrary", "theater", "tvlibrary", "imovielibrary", "fcpbundle"),
    *("lrdata", "lrlibrary", "lrcat-data", "cocatalog", "cosessiondb"),  # Lightroom, Capture One
))  # fmt: skip
_JUNK_FOLDER = re.compile(
    r"found\.[0-9]{3}|appdata_[0-9a-z]+|.*\.sb-[0-9a-f]{8}-\w{6}|\(a document being saved by .*\)", re.DOTALL
)
"""What chkdsk of Windows found, the previews of Nextcloud, and folders in which macOS saves a file."""

CLOSED_BY = (".nomedia", ".noimage")
"""Files that say, on Android and in Nextcloud, that their folder and its inner folders hold nothing to be shown."""


def why_left_alone(name: str) -> str:
    """Return why a file or folder of this name is always left alone, as the rest of a sentence; empty if it is not."""
    name = name.lower()
    if name.startswith("."):
        return "its name begins with a dot, so it is hidden"
    if name.startswith("~") or name.endswith("~"):
        return "its name is that of a temporary file"
    if name in JUNK_FILES or name.startswith(_JUNK_BEGINNINGS):
        return "it belongs to another program or to the system"
    if _ending(name) in UNFINISHED and not rest_s(name):
        return WHY
    return ""


def why_not_entered(name: str) -> str:
    """Return why a folder of this name is never searched, as the rest of a sentence; empty if it is searched."""
    name = name.lower()
    if name in JUNK_FOLDERS or _ending(name) in JUNK_FOLDER_ENDINGS or _JUNK_FOLDER.fullmatch(name):
        return "it belongs to another program, to a device or to the system"
    return WHY if _ending(name) in UNFINISHED else why_left_alone(name)


def why_closed(folder: Path) -> str:
    """Return why a folder is not searched although its name is none of these, as the rest of a sentence."""
    return next((f"it holds {name}" for name in CLOSED_BY if os.path.lexists(folder / name)), "")


def _ending(name: str) -> str:
    """Return what follows the last dot of a name; empty if there is none."""
    return name.rpartition(".")[2] if "." in name else ""

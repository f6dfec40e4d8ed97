"""Names of unfinished uploads: most programs write a photo under a temporary name, and rename it once it is complete.

If such a file is filed under its temporary name, the program's rename fails. No list knows every program, so the rule
comes first: a name that goes on after the extension of a photo or companion (`IMG.jpg.aB3dE9`, `IMG.jpg_exiftool_tmp`,
`IMG.jpg (partial)`) may be temporary. Such a file is left alone until it has not changed for some minutes; then its
content decides, because `IMG.jpg.1` of wget is a finished photo. Where the ending is known to be temporary, the file is
left alone for weeks: torrents rest that long.
"""

import re

from contract.formats import PHOTO_EXTENSIONS
from daemon.files.companion_forms import COMPANION_EXTENSIONS, extension_of

WHY = "its name is that of an unfinished upload"
REST_S = 900.0
"""How long a file must stay unchanged that may be an upload by the rule. When the network goes away, an upload is
resumed or given up within about 15 minutes: Linux closes a dead connection then, and Android runs its sync programs
again."""
STALE_S = 30 * 86_400.0
"""How long a file with a known ending must stay unchanged."""

ENDINGS = frozenset((
    *("part", "partial", "filepart", "tmp", "temp", "download", "crdownload"),  # browsers, WinSCP, rclone, KDE
    *("opdownload", "fdmdownload", "ucdownload", "wkdownload", "crswap", "ytdl", "aria2", "getright", "dap"),
    *("!sync", "syncpart", "synctemp", "bts", "rsls", "rslsc", "rslsv"),  # Resilio
    *("tacitpart", "photosync", "gstmp", "ffs_tmp", "pending", "icloud"),  # other programs that synchronise
    *("!qb", "!ut", "!bt", "bc!", "az!", "jc!", "ob!", "td", "xltd", "met"),  # programs that share files
    *("upload", "uploading", "tmp-upload", "upload-tmp", "downloading", "incomplete", "inprogress", "unfinished"),
    *("lock", "swp", "kate-swp", "$$$", "_exiftool_tmp", "exiftool_tmp"),
))  # fmt: skip
"""Endings that no program gives to a finished photo, in lower case."""

_KNOWN = frozenset(extension[1:] for extension in (*PHOTO_EXTENSIONS, *COMPANION_EXTENSIONS))
_GOES_ON = re.compile(rf"\.(?:{'|'.join(sorted(_KNOWN - {'mp'}))})(?![a-z])(.+)", re.DOTALL)  # not `song.mp3`
_ENDING = re.compile(r"\.([^.]+)$|_(exiftool_tmp)$")


def rest_s(name: str) -> float:
    """Return how long a file of this name must stay unchanged before it may be read; 0 for any other name."""
    name = name.lower().rstrip(". ")  # Windows adds and drops those without a word
    if extension_of(name)[1:] in _KNOWN:  # the usual case, also `a.tmp.jpg` and `IMG.jpg.xmp`
        return 0.0
    found = _GOES_ON.search(name)
    if found is None:
        return 0.0
    ending = _ENDING.search(found[1])
    return STALE_S if ending is not None and (ending[1] or ending[2]) in ENDINGS else REST_S

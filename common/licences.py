"""Licences of photos from the web: their codes, how others write them, and what each one asks of who uses a photo.

The codes are those of Creative Commons' own addresses (`by-sa`, `cc0` and `pdm`). A licence that is not among them is
unknown, whatever its name promises.
"""

import re

LICENCES = ("cc0", "pdm", "by", "by-sa", "by-nc", "by-nc-sa", "by-nd", "by-nc-nd")
"""From the freest to the strictest."""

_NAME = re.compile(r"(?:cc[ -])?(by(?:[ -](?:nc|sa|nd))*)(?:[ -]\d(?:\.\d)?(?:[ -][a-z]{2,7})?)?")
_ADDRESS = re.compile(r"https?://creativecommons\.org/(licenses|publicdomain)/([a-z-]+)(?:/.*)?")
_FREE = {
    **dict.fromkeys(("cc0", "cc0 1.0", "cc0-1.0", "cc-zero", "zero"), "cc0"),
    **dict.fromkeys(("pdm", "pd", "pdm 1.0", "public domain", "public domain mark 1.0", "mark"), "pdm"),
}
_OWED = {
    "by": "name the creator, the licence and what was changed",
    "nc": "no commercial use",
    "sa": "share what is adapted under the same licence",
    "nd": "share nothing that is adapted",
}


def code_of(text: str) -> str:
    """Return the code of a licence that is written as a code, a name or an address; empty if it is unknown.

    `CC BY-SA 4.0`, `cc-by-sa-2.0-fr` and `https://creativecommons.org/licenses/by-sa/4.0/` are all `by-sa`.
    """
    words = " ".join(text.lower().split())
    if address := _ADDRESS.fullmatch(words):
        words = address[2]
    if words in _FREE:
        return _FREE[words]
    name = _NAME.fullmatch(words)
    code = name[1].replace(" ", "-") if name else ""
    return code if code in LICENCES else ""


def owed(code: str) -> str:
    """Return what a licence asks of who shares the photo, or what was made of it; empty if it asks for nothing."""
    return "; ".join(_OWED[part] for part in code.split("-") if part in _OWED)

"""Make untrusted names safe to print: a file name may hold terminal commands, or bytes that are not text."""

import os
from pathlib import Path


def printable(name: str | bytes | Path) -> str:
    r"""Return the name with each non-printable character as an escape such as `\x1b`, and otherwise unchanged."""
    text = os.fsdecode(name)
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python carries it in names
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def cell(text: str) -> str:
    """The text as a cell that no spreadsheet reads as a formula; different texts stay different."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def path_cell(path: Path, root: Path) -> str:
    """A path relative to `root`; one that would begin like a formula begins with a dot."""
    relative = os.path.relpath(path, root)
    return f"./{relative}" if relative.startswith(_FORMULA) else relative

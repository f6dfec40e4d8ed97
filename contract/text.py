"""Names from outside, made safe to print: a file's name may hold terminal commands, or bytes that are no text."""

import os
from pathlib import Path


def printable(name: str | bytes | Path) -> str:
    r"""Return the name with everything that is not printable as an escape, such as `\x1b`, and nothing else changed."""
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
    """The text as a cell that no spreadsheet takes for a formula; two texts never become one."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def path_cell(path: Path, root: Path) -> str:
    """A path relative to `root`, which begins with a dot where it would begin like a formula."""
    relative = os.path.relpath(path, root)
    return f"./{relative}" if relative.startswith(_FORMULA) else relative

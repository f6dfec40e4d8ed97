"""Reads a place in the output back: which class does the layout name there?"""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from contract.labels import fault_of
from daemon.filing.layout import Layout, Part

_DATE_CODES = {"Y": r"\d{4}", "G": r"\d{4}", "j": r"\d{3}", "u": r"\d", "b": "[^/]+", "B": "[^/]+", "%": "%"}
_ANY = "[^/]*"


class Where(NamedTuple):
    """What a place says.

    Attributes:
        name: the class, or the folder with an underscore (`_review`), or empty.
        is_class: whether the layout names a class there.
    """

    name: str
    is_class: bool


NOWHERE = Where("", is_class=False)


def key(name: str) -> str:
    """Return a name without the differences that file systems and sync programs make: case and Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class ClassFolders:
    """The classes of an output by their folders.

    Args:
        layout: of the output, with the folders that have other names than their classes.
        labels: the classes that are known.

    Attributes:
        why_not: why folders cannot teach under this layout, as a sentence; empty if they can.
    """

    def __init__(self, layout: Layout, labels: Iterable[str]) -> None:
        self._labels = {key(folder): label for label, folder in layout.names.items()}
        self._labels |= {key(label): label for label in labels}
        self.why_not = ""
        self._pattern = self._compiled(_folders_of(layout))

    def where(self, place: str) -> Where:
        """Return what a place below the output says; folders with an underscore and hidden ones name no class."""
        *folders, _ = place.split("/")
        if not folders:
            return NOWHERE
        if folders[0].startswith("_"):
            return Where(key(folders[0]), is_class=False)
        found = None if self._pattern is None else self._pattern.fullmatch("/".join(folders))
        if found is None or any(folder.startswith(("_", ".")) for folder in folders):
            return NOWHERE
        name = unicodedata.normalize("NFC", found["label"])
        name = self._labels.get(key(name), name)
        return NOWHERE if fault_of(name) else Where(name, is_class=True)

    def knows(self, name: str) -> bool:
        """Tell whether this is a known class, and not only a folder that proposes one."""
        return key(name) in self._labels

    def _compiled(self, folders: list[list[Part]]) -> "re.Pattern[str] | None":
        whole = [number for number, parts in enumerate(folders) if _is_label(parts)]
        anywhere = [parts for parts in folders if any(part.field == "label" for part in parts)]
        if not whole:
            self.why_not = "The layout has no folder that is {label} alone, so moved photos cannot say their class."
            return None
        before, after = folders[: whole[0]], folders[whole[0] + 1 :]
        if len(anywhere) > 1 or (_has_relpath(before) and _has_relpath(after)):
            self.why_not = "The layout can be read back in more than one way, so moved photos cannot say their class."
            return None
        label = "(?P<label>[^/]+)"
        if _has_relpath(before):
            return re.compile("(?:[^/]+/)*" + "/".join([label, *map(_regex, after)]), re.IGNORECASE)
        return re.compile("/".join([*map(_regex, before), label]) + "(?:/.*)?", re.IGNORECASE)


def _folders_of(layout: Layout) -> list[list[Part]]:
    """Return the template's folders, each as its parts; its last component, the name of the file, is left out."""
    folders: list[list[Part]] = [[]]
    for part in layout.parts:
        *ended, rest = part.before.split("/")
        for text in ended:
            folders[-1].append(Part(text, "", ""))
            folders.append([])
        forms = part.form.split("/") if part.field == "date" else [part.form]
        folders[-1].append(Part(rest, part.field, forms[0]))
        folders += [[Part("", "date", form)] for form in forms[1:]]
    kept = ([part for part in parts if part.before or part.field] for parts in folders[:-1])
    return [parts for parts in kept if parts]


def _is_label(parts: list[Part]) -> bool:
    return len(parts) == 1 and parts[0].field == "label" and not parts[0].before


def _has_relpath(folders: list[list[Part]]) -> bool:
    return any(part.field == "relpath" for parts in folders for part in parts)


def _regex(parts: list[Part]) -> str:
    return "".join(re.escape(part.before) + (_date(part.form) if part.field == "date" else _ANY if part.field else "")
                   for part in parts)  # fmt: skip


def _date(form: str) -> str:
    """Return the pattern of a date in strftime format."""
    pieces = re.split(r"%(.)", form)
    return "".join(_DATE_CODES.get(piece, r"\d\d") if number % 2 else re.escape(piece)
                   for number, piece in enumerate(pieces))  # fmt: skip

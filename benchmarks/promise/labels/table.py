"""What a look has to find, in plain words: docs/labels.md for single files whose history is known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath

from daemon.intake.names.junk import why_not_entered
from daemon.labels.listed.folder_reader import is_taken

FOLDERS = (
    *("red", "green", "blue", "green/trip", "blue/trip/day 1", "Red", "GREEN", "dogs"),
    *("_mine", "_review", "blue/_best", "", ".trash", "@eaDir", "red/@eaDir"),
)  # fmt: skip
TEMPORARY = ("{name}.part", ".syncthing.{name}.tmp", "~{name}", ".{name}.Xa3dE9", "{name}.crdownload")


@dataclass
class Filed:
    """A filed photo: what the ledger should know of it, and where it really is.

    number: of the content. place: below the output, as the ledger should have it. filed_as, said: classes. inode: of
    what a look saw there.
    at: where the photo lies, below the output; empty if it is elsewhere. copies: further files of the same content.
    outside: its path out of the output, if it was taken there. is_asked: a question about it is open.
    edits: how often its bytes were changed. is_unseen: changed without a change in its folder.
    is_simple: another file is like it, so that only its inode tells it from that one.
    """

    row: int
    number: int
    place: str
    filed_as: str
    inode: int
    said: str = ""
    is_gone: bool = False
    is_asked: bool = False
    events: list[str] = field(default_factory=list)
    at: str = ""
    copies: list[str] = field(default_factory=list)
    outside: str = ""
    edits: int = 0
    is_unseen: bool = False
    is_simple: bool = False

    @property
    def can_be_edited(self) -> bool:
        """Whether other bytes in its place are told from another file."""
        return bool(self.at) and not self.copies and not self.is_simple and not self.is_gone and self.at == self.place

    @property
    def is_alone(self) -> bool:
        """Whether it lies in its place, as the last look saw it, and nowhere else."""
        return bool(self.at) and self.at == self.place and not (self.copies or self.is_unseen or self.is_gone)

    def judge(self, inode_of: Callable[[str], int]) -> None:
        """Change what the ledger should know to what two looks find."""
        there = {place: inode_of(place) for place in (self.at, *self.copies) if place and is_listed(place)}
        if self.place not in there:  # the file itself and its links come before what has the same bytes
            there = {place: inode for place, inode in there.items() if inode == self.inode} or there
        self.is_gone = self.place not in there and len(there) != 1
        if not self.is_gone:
            place = self.place if self.place in there else next(iter(there))
            self._moved(place)
            self.inode = there[place]

    def _moved(self, place: str) -> None:
        (left, _), (entered, is_class) = told(self.place), told(place)
        self.place = place
        if entered in (left, self.said or self.filed_as):
            return
        if entered == self.filed_as:
            if self.said:
                self._say("")
        elif is_class:
            self._say(entered)

    def _say(self, said: str) -> None:
        self.said = said
        self.events.append(said)

    def may_end_with(self, visited: set[str], events: list[str]) -> bool:
        """Tell whether these new events may come from looks at any moment of a journey through these places."""
        names = {name for name, is_class in map(told, filter(is_listed, visited)) if is_class}
        in_force = events[-1] if events else self.said
        entered, is_class = told(self.at) if is_listed(self.at) else ("", False)
        if is_class and in_force != ("" if entered == self.filed_as else entered):
            return False
        return set(events) <= {"" if name == self.filed_as else name for name in names}


def told(place: str) -> tuple[str, bool]:
    """The class that a place names, or the `_` folder, under the default layout."""
    folders = PurePath(place).parts[:-1]
    if not folders:
        return "", False
    name = folders[0].casefold()
    if name.startswith("_"):
        return name, False
    return ("", False) if any(folder.startswith("_") for folder in folders) else (name, True)


def is_listed(place: str) -> bool:
    """Tell whether a look sees what lies at a place."""
    *folders, name = PurePath(place).parts
    return is_taken(name) and not any(map(why_not_entered, folders))

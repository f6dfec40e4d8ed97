"""What people, backup, duplicate and sync programs do with the files of an output, each at random."""

from abc import ABC, abstractmethod
from collections import defaultdict

from daemon.labels.listed.tree import parted
from daemon.labels.rows import Row
from tests.daemon.moved import CLASSES, Disk, Memory, Output, origin, photo, told

DOINGS = (
    *("file", "file", "file a copy", "move", "move", "move", "rename", "copy", "copy without times", "link", "delete"),
    *("edit", "edit and keep", "replace", "swap", "stranger", "take out", "put in", "move folder", "move all"),
    *("move by copying", "edit and move", "undo", "refile", "many", "look", "look", "look", "look soon", "interrupt"),
    *("rename slowly", "save slowly", "rename case", "rename folder case", "back up", "back up by links", "restore"),
    *("remove duplicates", "link duplicates", "synchronise", "put all in"),
)
WITHOUT_FILES = frozenset((
    *("file", "file a copy", "stranger", "put in", "put all in", "many", "look", "look soon", "interrupt", "restore"),
    *("remove duplicates", "link duplicates"),
))  # fmt: skip
BACKUPS = ("backup", "_backup")


class Doings(ABC):
    """Things that are done to files; what cannot be done is left out.

    Attributes:
        places: of the files that are there, below the output.
        out: of those that were taken out of it.
    """

    def __init__(self, disk: "Disk | Memory") -> None:
        self.disk, self.output = disk, Output(disk)
        self.places: list[str] = []
        self.out: list[str] = []
        self.edits = 0

    @abstractmethod
    def look_soon(self, *_: str) -> None:
        """Look before 30 seconds have passed."""

    def do(self, doing: str, which: int, folder: str, name: str) -> None:
        """Do one thing to one of the files that are there."""
        place = self.places[which % len(self.places)] if self.places else ""
        other = f"{folder}/{name}" if folder else name
        if place or doing in WITHOUT_FILES:
            getattr(self, doing.replace(" ", "_"))(place, other)

    def file(self, _: str, other: str) -> None:
        if other not in self.places and told(other)[0] in (*CLASSES, "_review"):
            self.output.file(other.replace("Sea", "sea"))
            self._there(other.replace("Sea", "sea"))

    def file_a_copy(self, _: str, other: str) -> None:
        if other not in self.places and told(other)[0] in CLASSES:
            self.output.file(other.replace("Sea", "sea"), is_copy=True)
            self._there(other.replace("Sea", "sea"))

    def many(self, _: str, other: str) -> None:
        for number in range(55 if len(self.places) < 50 else 0):
            self.file("", f"{parted(other)[0]}/{number}.jpg")

    def move(self, place: str, other: str) -> None:
        if place != other:
            self.disk.move(place, other)
            self._gone(place, other)

    def rename(self, place: str, other: str) -> None:
        self.move(place, f"{parted(place)[0]}/{parted(other)[1]}".lstrip("/"))

    def copy(self, place: str, other: str) -> None:
        if place != other:
            self.disk.copy(place, other)
            self._there(other)

    def copy_without_times(self, place: str, other: str) -> None:
        if place != other:
            self.disk.write(other, self.disk.read(place))
            self._there(other)

    def move_by_copying(self, place: str, other: str) -> None:
        if place != other:
            self.copy_without_times(place, other)
            self.delete(place, "")

    def link(self, place: str, other: str) -> None:
        if place != other:
            self.disk.link(place, other)
            self._there(other)

    def delete(self, place: str, _: str) -> None:
        self.disk.delete(place)
        self.places.remove(place)

    def edit(self, place: str, _: str) -> None:
        self.edits += 1
        self.disk.edit(place, photo(origin(self.disk.read(place)), self.edits))

    def replace(self, place: str, _: str) -> None:
        self.edits += 1
        self.disk.write(place, photo(origin(self.disk.read(place)), self.edits))

    def edit_and_keep(self, place: str, _: str) -> None:
        content = self.disk.read(place)
        self.move(place, f"{place} (original).jpg")
        self.edits += 1
        self.disk.write(place, photo(origin(content), self.edits))
        self._there(place)

    def edit_and_move(self, place: str, other: str) -> None:
        self.replace(place, "")
        self.move(place, f"{parted(other)[0]}/{parted(place)[1]}".lstrip("/"))

    def swap(self, place: str, other: str) -> None:
        if other in self.places and place != other:
            self.disk.move(place, "swap.jpg")
            self.disk.move(other, place)
            self.disk.move("swap.jpg", other)

    def stranger(self, _: str, other: str) -> None:
        self.edits += 1
        self.disk.write(other, photo(100_000 + self.edits))
        self._there(other)

    def take_out(self, place: str, _: str) -> None:
        if place not in self.out:
            self.disk.take_out(place)
            self.places.remove(place)
            self.out.append(place)

    def put_in(self, _: str, other: str) -> None:
        if self.out:
            self.disk.put_in(self.out.pop(), other)
            self._there(other)

    def move_folder(self, place: str, other: str) -> None:
        left, entered = parted(place)[0], f"{parted(other)[0]}/moved{len(self.out)}".lstrip("/")
        if left and not entered.startswith(left):
            self._rename_folder(left, entered)

    def _is_there(self, folder: str) -> bool:
        return folder in self.disk.folders if isinstance(self.disk, Memory) else (self.disk.root / folder).exists()

    def move_all(self, place: str, other: str) -> None:
        left, entered = parted(place)[0], parted(other)[0]
        if left != entered:
            for one in [one for one in self.places if parted(one)[0] == left]:
                self.move(one, f"{entered}/{parted(one)[1]}".lstrip("/"))

    def undo(self, place: str, _: str) -> None:
        for row in self._rows_at(place):
            self.delete(place, "")
            del self.output.known.by_id[row.id]

    def refile(self, place: str, other: str) -> None:
        rows = self._rows_at(place)
        if rows and other not in self.places and told(other)[0] in CLASSES:
            self.move(place, other.replace("Sea", "sea"))
            self.output.known.by_id[rows[0].id] = rows[0]._replace(
                place=other.replace("Sea", "sea"), filed_as=told(other)[0], filed_s=self.output.now_s + 0.5
            )

    def _rows_at(self, place: str) -> list[Row]:
        rows = self.output.known.by_id.values()
        file = self.disk.file(place)
        return [row for row in rows if row.place == place and not row.is_gone and row.file == file][:1]

    def rename_slowly(self, place: str, other: str) -> None:
        """As over Samba: to a temporary name first, and a look comes in between."""
        temporary = f"{place}.tmp"
        self.move(place, temporary)
        self.look_soon()
        self.move(temporary, other)

    def save_slowly(self, place: str, _: str) -> None:
        """Write beside, delete, look, rename into place."""
        self.edits += 1
        content = photo(origin(self.disk.read(place)), self.edits)
        self.delete(place, "")
        self.disk.write(f"{place}.tmp", content)
        self.look_soon()
        self.disk.move(f"{place}.tmp", place)
        self._there(place)

    def rename_case(self, place: str, _: str) -> None:
        folder, name = parted(place)
        self.move(place, f"{folder}/{name.swapcase()}".lstrip("/"))

    def rename_folder_case(self, place: str, _: str) -> None:
        """As on a share that knows no case: by a name in between, and a look may come there."""
        folder = parted(place)[0]
        if folder and not self._is_there(folder.swapcase()):
            self._rename_folder(folder, f"{folder}~")
            self.look_soon()
            self._rename_folder(f"{folder}~", folder.swapcase())

    def back_up(self, place: str, other: str) -> None:
        for one in self._below(parted(place)[0]):
            self.copy(one, f"{BACKUPS[len(other) % 2]}/{one}")

    def back_up_by_links(self, place: str, other: str) -> None:
        for one in self._below(parted(place)[0]):
            self.link(one, f"{BACKUPS[len(other) % 2]}/{one}")

    def restore(self, *_: str) -> None:
        """Copy what is missing back, and what has other bytes."""
        for backup in BACKUPS:
            for one in [one for one in self.places if one.startswith(f"{backup}/")]:
                there = one[len(backup) + 1 :]
                if there not in self.places or self.disk.read(there) != self.disk.read(one):
                    self.copy(one, there)

    def remove_duplicates(self, _: str, other: str) -> None:
        for _, more in self._duplicates(other):
            for one in more:
                self.delete(one, "")

    def link_duplicates(self, _: str, other: str) -> None:
        for kept, more in self._duplicates(other):
            for one in more:
                self.link(kept, one)

    def synchronise(self, place: str, other: str) -> None:
        """Copy a folder with the times of its files, look, delete the originals."""
        left, entered = parted(place)[0], parted(other)[0]
        moved = [one for one in self._below(left) if parted(one)[0] == left and left != entered]
        for one in moved:
            self.copy(one, f"{entered}/{parted(one)[1]}".lstrip("/"))
        self.look_soon()
        for one in moved:
            self.delete(one, "")

    def put_all_in(self, *_: str) -> None:
        while self.out:
            place = self.out.pop()
            self.disk.put_in(place, place)
            self._there(place)

    def _rename_folder(self, folder: str, other: str) -> None:
        if not self._is_there(other):
            self.disk.move_folder(folder, other)
            self.places = [
                other + one[len(folder) :] if one.startswith(f"{folder}/") else one for one in self.places
            ]  # fmt: skip

    def _below(self, folder: str) -> list[str]:
        """The files of a folder and of those in it, without backups."""
        inside = [one for one in self.places if not folder or one.startswith(f"{folder}/")]
        return [one for one in inside if not one.startswith(BACKUPS)]

    def _duplicates(self, other: str) -> list[tuple[str, list[str]]]:
        """Files of equal bytes: the one that is kept, the first or the last by name, and the others."""
        groups = defaultdict[bytes, list[str]](list)
        for place in sorted(self.places, reverse=len(other) % 2 == 0):
            groups[self.disk.read(place)].append(place)
        return [(places[0], places[1:]) for places in groups.values()]

    def _there(self, place: str) -> None:
        if place not in self.places:
            self.places.append(place)

    def _gone(self, place: str, other: str) -> None:
        self.places.remove(place)
        self._there(other)

"""What people, and backup, duplicate and sync programs do with filed photos. Each has one meaning in the table."""

import os
import random
import shutil
from collections.abc import Callable

from benchmarks.promise.labels.house import House
from benchmarks.promise.labels.table import FOLDERS, TEMPORARY, Filed, is_listed, told
from benchmarks.promise.world import photo
from daemon.labels.listed.tree import joined, parted


class Doings:
    """Does random things with photos that nothing was done with since the last looks.

    Args:
        house: whose photos.
        rng: draws.

    Attributes:
        journeys: rows that are moved while looks go on, with the places that they may have been seen at.
    """

    def __init__(self, house: House, rng: random.Random) -> None:
        self._house, self._rng = house, rng
        self.touched: set[int] = set()
        self.journeys: dict[int, set[str]] = {}
        self._questions: list[tuple[str, str]] = []

    def some(self, count: int) -> None:
        """Do so many things."""
        doings: tuple[Callable[[Filed], None], ...] = (
            self._move, self._move, self._move, self._storm, self._storm, self._temporary, self._take_out, self._put_in,
            self._delete, self._copy, self._copy, self._remove_one_of_many, self._edit, self._replace, self._swap,
            self._edit_and_move, self._move_over, self._symlink, self._stranger, self._move_by_copying, self._case,
        )  # fmt: skip
        for _ in range(count):
            free = [one for row, one in self._house.filed.items() if row not in self.touched and not one.is_asked]
            if free:
                one = self._rng.choice(free)
                self.touched.add(one.row)
                self._rng.choice(doings)(one)

    def storm(self) -> None:
        """Rename many photos many times, as a sync program over Samba does, while looks go on."""
        free = [one for row, one in self._house.filed.items() if one.at and row not in self.touched]
        free = [one for one in free if not (one.is_asked or one.copies or one.is_unseen)]
        ones = self._rng.sample(free, min(len(free), 6))
        self.touched |= {one.row for one in ones}
        for one in ones:
            self.journeys[one.row] = {one.at}
        for _ in range(150):
            if ones:
                self._rename(self._rng.choice(ones))

    def folder(self) -> None:
        """Rename a class folder, or move the photos of one that was renamed back or on."""
        if self._questions:
            self._answer(*self._questions.pop())
            return
        left = self._rng.choice(("red", "green", "blue", "green/trip"))
        entered = self._rng.choice((f"old {self._house.next_number()}", f"_old/{self._house.next_number()}"))
        ones = [one for one in self._house.filed.values() if one.at.startswith(f"{left}/")]
        known = [
            one for one in ones if not one.is_gone and one.at == one.place and not one.copies and not one.is_unseen
        ]
        others = [copy for one in self._house.filed.values() for copy in one.copies if copy.startswith(f"{left}/")]
        if not ones or ones != known or others or self.touched & {one.row for one in ones}:
            return
        self._made(entered)
        (self._house.output / left).rename(self._house.output / entered)
        for place in [place for place in self._house.files if place.startswith(f"{left}/")]:
            self._house.files[entered + place[len(left) :]] = self._house.files.pop(place)
        for one in ones:
            self.touched.add(one.row)
            one.at = entered + one.at[len(left) :]
            new = told(one.at)
            one.is_asked = new[1] and new[0] != (one.said or one.filed_as)
        if any(one.is_asked for one in ones):
            self._questions.append((left, entered))

    def _answer(self, left: str, entered: str) -> None:
        back = self._rng.random() < 0.5
        for one in self._house.filed.values():
            if one.is_asked:
                self.touched.add(one.row)
                place = left + one.at[len(entered) :] if back else self._free(self._rng.choice(("red", "blue")), one)
                self._renamed(one, place if place not in self._house.files else self._free(left, one))
                one.is_asked = False

    def _name(self, one: Filed) -> str:
        same, new = parted(one.at)[1], f"{self._house.next_number()}.jpg"
        return same if one.is_unseen else self._rng.choice((same, same, same.upper(), new))

    def _free(self, folder: str, one: Filed) -> str:
        place = joined(folder, self._name(one))
        while place in self._house.files:
            place = joined(folder, f"{self._house.next_number()}.jpg")
        return place

    def _made(self, place: str) -> None:
        (self._house.output / place).parent.mkdir(parents=True, exist_ok=True)

    def _renamed(self, one: Filed, place: str) -> None:
        self._made(place)
        (self._house.output / one.at).rename(self._house.output / place)
        self._house.files[place] = self._house.files.pop(one.at)
        one.at = place
        if one.row in self.journeys:
            self.journeys[one.row].add(place)

    def _rename(self, one: Filed) -> None:
        self._renamed(one, self._free(self._rng.choice(FOLDERS), one))

    def _move(self, one: Filed) -> None:
        if not one.at:
            return
        place = self._free(self._rng.choice(FOLDERS), one)
        if one.is_unseen and parted(place)[1] != parted(one.at)[1]:
            return
        one.is_unseen = one.is_unseen and not is_listed(place)
        self._renamed(one, place)

    def _storm(self, one: Filed) -> None:
        if one.at and not one.is_unseen:
            for _ in range(self._rng.randrange(2, 40)):
                self._rename(one)

    def _temporary(self, one: Filed) -> None:
        if one.at and not one.is_unseen:
            folder, name = parted(self._free(self._rng.choice(FOLDERS), one))
            for form in self._rng.sample(TEMPORARY, 2):
                self._renamed(one, joined(folder, form.format(name=f"{self._house.next_number()}.jpg")))
            if self._rng.random() < 0.7:
                self._renamed(one, joined(folder, name))

    def _case(self, one: Filed) -> None:
        if one.at and not one.is_unseen:
            name = parted(one.at)[1]
            place = joined(parted(one.at)[0], name.swapcase())
            if place not in self._house.files:
                self._renamed(one, place)

    def _take_out(self, one: Filed) -> None:
        if one.at and not one.is_unseen:
            one.outside = str(self._house.next_number())
            (self._house.output / one.at).rename(self._house.outside / one.outside)
            del self._house.files[one.at]
            one.at = ""

    def _put_in(self, one: Filed) -> None:
        if one.outside and not one.at:
            path = self._house.outside / one.outside
            place = joined(self._rng.choice(FOLDERS), f"{self._house.next_number()}.jpg")
            self._made(place)
            self._house.files[place] = path.read_bytes()
            path.rename(self._house.output / place)
            one.at, one.outside = place, ""

    def _delete(self, one: Filed) -> None:
        if one.at and self._rng.random() < 0.5:
            self._house.remove(one.at)
            one.at = ""

    def _is_pristine(self, one: Filed) -> bool:
        return bool(one.at) and not one.edits and not one.is_simple

    def _copy(self, one: Filed) -> None:
        if not self._is_pristine(one):
            return
        place = joined(self._rng.choice(FOLDERS), f"{self._house.next_number()}.jpg")
        self._copied(one, place)
        one.copies.append(place)

    def _copied(self, one: Filed, place: str) -> None:
        self._made(place)
        copy = self._rng.choice((shutil.copy, shutil.copy2, os.link))
        copy(self._house.output / one.at, self._house.output / place)
        self._house.files[place] = self._house.files[one.at]

    def _move_by_copying(self, one: Filed) -> None:
        if self._is_pristine(one) and not one.copies:
            place = self._free(self._rng.choice(FOLDERS), one)
            self._copied(one, place)
            self._house.remove(one.at)
            one.at = place

    def _remove_one_of_many(self, one: Filed) -> None:
        """A program that removes duplicates keeps one of them, whichever."""
        if one.at and one.copies:
            places = [one.at, *one.copies]
            self._house.remove(places.pop(self._rng.randrange(len(places))))
            one.at, *one.copies = places

    def _edited(self, one: Filed) -> bytes:
        one.edits += 1
        data = photo(one.number) + b" edit" * one.edits
        self._house.files[one.at] = data
        return data

    def _edit(self, one: Filed) -> None:
        if one.can_be_edited:
            (self._house.output / one.at).write_bytes(self._edited(one))
            one.is_unseen = True

    def _replace(self, one: Filed) -> None:
        if one.can_be_edited:
            new = self._house.output / parted(one.at)[0] / f".{self._house.next_number()}"
            new.write_bytes(self._edited(one))
            new.replace(self._house.output / one.at)
            one.is_unseen = False

    def _edit_and_move(self, one: Filed) -> None:
        if one.can_be_edited:
            place = joined(self._rng.choice(("red", "green", "dogs")), parted(one.at)[1])
            if place not in self._house.files:
                self._replace(one)
                self._renamed(one, place)

    def _other(self, one: Filed) -> Filed | None:
        ones = self._house.filed.values()
        free = [other for other in ones if other.row not in self.touched and not other.is_asked and other.is_alone]
        return self._rng.choice(free) if free and one.is_alone else None

    def _swap(self, one: Filed) -> None:
        if (other := self._other(one)) is not None:
            self.touched.add(other.row)
            first, second, between = one.at, other.at, f".{self._house.next_number()}"
            self._renamed(one, between)
            self._renamed(other, first)
            self._renamed(one, second)

    def _move_over(self, one: Filed) -> None:
        if (other := self._other(one)) is not None:
            self.touched.add(other.row)
            place, other.at = other.at, ""
            self._renamed(one, place)

    def _symlink(self, one: Filed) -> None:
        if one.at:
            place = joined("blue", f"{self._house.next_number()}.jpg")
            self._made(place)
            (self._house.output / place).symlink_to(self._house.output / one.at)

    def _stranger(self, _: Filed) -> None:
        place = joined(self._rng.choice(FOLDERS), f"{self._house.next_number()}.jpg")
        self._made(place)
        self._house.files[place] = photo(1_000_000 + self._house.next_number())
        (self._house.output / place).write_bytes(self._house.files[place])

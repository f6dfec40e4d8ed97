"""Which file is the missing photo? By inode, size and time; else by size and content. One file answers for one row."""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from daemon.labels.files import Files
from daemon.labels.listed.listing import File
from daemon.labels.listed.tree import BASE_LINE_S, joined, parted
from daemon.labels.places import Places
from daemon.labels.rows import Contents, Known, Row, RowId, Sighting, sizes_of

_NONE = File(0, -1, 0)


class Candidate(NamedTuple):
    """A file that no row holds.

    Attributes:
        place: below the output.
        file: what lies there.
        since_s: when a look first saw it there.
    """

    place: str
    file: File
    since_s: float


class Matches(NamedTuple):
    """Where photos are.

    Attributes:
        here: rows whose file is in its place, as it was or edited.
        elsewhere: the file of each row that was found at another place.
        lost: rows that were found nowhere, or at several places at once.
    """

    here: list[Row]
    elsewhere: dict[RowId, Candidate]
    lost: list[Row]


class Matcher:
    """Finds the files of rows in one tree.

    Args:
        known: the ledgers' rows.
        files: what lies in the output.
        changed: folders of the tree in which something is new.
        contents: reads files.
        sightings: of earlier looks; what one of them read is not read again.
        now_s: time of this look.

    Attributes:
        hashes: of the files that were read, by place.
    """

    def __init__(
        self,
        known: Known,
        files: Files,
        changed: Sequence[str],
        contents: Contents,
        sightings: Mapping[RowId, Sighting],
        now_s: float,
    ) -> None:
        self._files, self._changed, self._contents, self._now_s = files, changed, contents, now_s
        self._sightings = sightings
        self._places = Places(known)
        self._read = {(seen.place, seen.file): seen.sha256 for seen in sightings.values() if seen.sha256}
        self.hashes: dict[str, str] = {}

    def match(self, rows: Sequence[Row]) -> Matches:
        """Find the files of these rows."""
        here, doubtful, away = list[Row](), list[Row](), list[Row]()
        for row in rows:
            file = self._files.at(row.place)
            if file is not None and row.is_exactly(file):
                here.append(row)
            elif file is None or row.is_gone:  # a file that came to the place of one that went may be any
                away.append(row)
            else:
                doubtful.append(row)
        evicted = self._evicted(doubtful, away, here)
        here += [row for row in doubtful if row.id not in evicted]
        away += [row for row in doubtful if row.id in evicted]
        if not away:
            return Matches(here, {}, [])
        left, ones = {row.id for row in away}, list(self._candidates(away))
        self._places.ask(one.place for one in ones)
        found = self._assign(away, [one for one in ones if not self._is_held(one, left)])
        return Matches(here, found, [row for row in away if row.id not in found])

    def _evicted(self, doubtful: Sequence[Row], away: Sequence[Row], here: Sequence[Row]) -> set[RowId]:
        """Return the rows in whose place another row's file lies: somebody moved that one over it, or swapped both.

        Other bytes in a photo's place are the same photo, edited, as long as no other row claims them, and the photo
        was not seen elsewhere, where it still lies. Of two rows with one place the later one put a file there last.
        """
        last: dict[str, Row] = {}
        for row in sorted(doubtful, key=lambda row: (row.filed_s, row.id)):
            last[row.place] = row
        self._places.ask(row.place for row in doubtful)
        at = {row.id: self._files.at(row.place) or _NONE for row in doubtful}
        exact = {_exact(row) for row in (*doubtful, *away, *here)} | self._held({at[row.id] for row in doubtful})
        evicted = {
            row.id
            for row in doubtful
            if last[row.place] is not row
            or _as_key(at[row.id]) in exact
            or self._is_of_a_row(row.place, at[row.id])
            or self._is_still_seen(row)
        }
        changed = [row for row in doubtful if row.id in evicted or at[row.id].size != row.filed_size]
        contents = {(row.filed_size, row.sha256) for row in (*changed, *away) if row.sha256}
        sizes = {size for size, _ in contents}
        for row in doubtful:
            file = at[row.id]
            if file.inode != row.file.inode and file.size in sizes and not file.target:
                sha256 = self._sha256(row.place, file)
                if sha256 != row.sha256 and (file.size, sha256) in contents:
                    evicted.add(row.id)
        return evicted

    def _held(self, files: set[File]) -> set[Hashable]:
        """Return those of these files that lie in the place of a row of their own too, as links."""
        if not files:
            return set()
        found = self._files.tree.of_sizes({file.size for file in files})
        links = [(joined(folder, name), file) for folder, name, file, _ in found if file in files]
        self._places.ask(place for place, _ in links)
        return {_as_key(file) for place, file in links if self._is_of_a_row(place, file)}

    def _is_still_seen(self, row: Row) -> bool:
        seen = self._sightings.get(row.id)
        return seen is not None and self._files.at(seen.place) == seen.file

    def _is_of_a_row(self, place: str, file: File) -> bool:
        return any(row.is_exactly(file) for row in self._places.rows(place))

    def _candidates(self, away: Sequence[Row]) -> Iterable[Candidate]:
        sizes = sizes_of(away)
        for folder, name, file, since_s in self._files.tree.of_sizes(sizes):
            yield Candidate(joined(folder, name), file, since_s)
        names = {parted(row.place)[1] for row in away if not row.is_gone}  # edited and moved: of any size
        seen = {parted(self._sightings[row.id].place)[0] for row in away if row.id in self._sightings}
        for folder in {*self._changed, *seen} & self._files.tree.folders.keys():
            listing, positions = self._files.tree.listing(folder), self._files.positions(folder)
            for name in names & positions.keys():
                file = listing.file(positions[name], name)
                if file.size not in sizes and not file.target:
                    yield Candidate(joined(folder, name), file, listing.since_s[positions[name]])

    def _is_held(self, one: Candidate, away: Collection[RowId]) -> bool:
        return any(row.id not in away for row in self._places.rows(one.place))

    def _assign(self, away: Sequence[Row], free: Sequence[Candidate]) -> dict[RowId, Candidate]:
        found = _pairs(((_exact(row), row) for row in away), ((_as_key(one.file), one) for one in free))
        taken = {one.place for one in found.values()}
        seen_exactly = {_as_key(one.file) for one in free}
        rest = [row for row in away if row.id not in found and _exact(row) not in seen_exactly]
        filed_s: dict[str, float] = {}
        for row in rest:
            filed_s[row.sha256] = min(row.filed_s, filed_s.get(row.sha256, row.filed_s))
        sizes = {row.filed_size for row in rest if row.sha256}
        by_content = [
            (sha256, one)
            for one in free
            if one.place not in taken and one.file.size in sizes and not one.file.target
            and one.since_s != BASE_LINE_S
            and (sha256 := self._sha256(one.place, one.file)) and one.since_s > filed_s.get(sha256, inf)
        ]  # fmt: skip
        # The file of another row may be seen twice: as a hard link, or before and after a rename meanwhile.
        linked = self._held({one.file for _, one in by_content})
        by_content = [(sha256, one) for sha256, one in by_content if _as_key(one.file) not in linked]
        found |= _pairs(((row.sha256, row) for row in rest if row.sha256), by_content)
        taken = {one.place for one in found.values()}
        doubled = {sha256 for sha256, one in by_content if one.place not in taken}  # nothing until one is gone
        taken |= {one.place for _, one in by_content}
        rest = [row for row in rest if row.id not in found and row.sha256 not in doubled and not row.file.target]
        return found | self._edited(rest, [one for one in free if one.place not in taken and not one.file.target])

    def _edited(self, rows: Sequence[Row], free: Sequence[Candidate]) -> dict[RowId, Candidate]:
        """Return what was edited and moved between two looks: of equal name, and much alike."""
        named = defaultdict[str, list[Candidate]](list)
        for one in free:
            named[parted(one.place)[1]].append(one)
        alike = defaultdict[str, list[tuple[Row, Candidate]]](list)
        for row in rows:
            ones = [one for one in named[parted(row.place)[1]] if self._is_edited(row, one)]
            if len(ones) == 1:
                alike[ones[0].place].append((row, ones[0]))
        return {pairs[0][0].id: pairs[0][1] for pairs in alike.values() if len(pairs) == 1}

    def _is_edited(self, row: Row, one: Candidate) -> bool:
        before = self._sightings.get(row.id)
        if before is not None and before.is_of(one.place, one.file):
            return True
        return not row.is_gone and one.since_s == self._now_s and self._contents.resembles(row.id, one.place)

    def _sha256(self, place: str, file: File) -> str:
        if place not in self.hashes:
            self.hashes[place] = self._read.get((place, file)) or self._contents.sha256(place)
        return self.hashes[place]


def _exact(row: Row) -> Hashable:
    return _as_key(row.file)


def _as_key(file: File) -> Hashable:
    return file.target or file


def _pairs(rows: Iterable[tuple[Hashable, Row]], files: Iterable[tuple[Hashable, Candidate]]) -> dict[RowId, Candidate]:
    """Pair rows and files of equal keys, of equal names first; a key with more files than rows is left open.

    Then a photo lies at two places, and which of them counts is known once one is gone.
    """
    waiting, there = defaultdict[Hashable, list[Row]](list), defaultdict[Hashable, list[Candidate]](list)
    for key, row in rows:
        waiting[key].append(row)
    for key, one in files:
        there[key].append(one)
    found: dict[RowId, Candidate] = {}
    for key, ones in there.items():
        wanting = sorted(waiting.get(key, ()), key=lambda row: row.id)
        if len(ones) > len(wanting):
            continue
        left = sorted(ones)
        for same_name in (True, False):
            for row in wanting:
                name = parted(row.place)[1]
                fits = [one for one in left if not same_name or parted(one.place)[1] == name]
                if row.id not in found and fits:
                    found[row.id] = fits[0]
                    left.remove(fits[0])
    return found

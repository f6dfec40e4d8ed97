"""What the look is told: the photos that the ledgers know, what earlier looks saw of them, and who reads files."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

from daemon.labels.listed.listing import File, Listing

RowId = tuple[str, int]
"""A ledger of this output, and the number of a row in it."""


class Row(NamedTuple):
    """One filed photo, as far as the ledgers know. Companions, photos on their way and those taken back have none.

    Attributes:
        id: of the row.
        place: where it was last, below the output.
        file: what lay there then; an inode of 0 if nobody has looked since it was copied there.
        filed_as: the class, or the folder with an underscore, that phototriage filed it under last.
        said: the label in force; empty if there is none.
        sha256: of its content when it was filed; empty if it was never read.
        filed_size: size of that content, in bytes.
        filed_s: when phototriage filed it, or moved it last, in seconds since 1970.
        is_gone: whether the last look did not find it.
    """

    id: RowId
    place: str
    file: File
    filed_as: str
    said: str
    sha256: str
    filed_size: int
    filed_s: float
    is_gone: bool = False

    def is_exactly(self, file: File) -> bool:
        """Tell whether a file is this photo by inode, size and time; a link by what it names."""
        return file.target == self.file.target if self.file.target else file == self.file


class Sighting(NamedTuple):
    """A photo was seen away from its place, and a second look has to confirm it.

    Attributes:
        place: where.
        file: what lay there.
        at_s: when it was seen there first, in seconds since 1970.
        sha256: of its content, if that was read.
        is_asked: whether it belongs to a question; until that is answered it says nothing.
    """

    place: str
    file: File
    at_s: float
    sha256: str = ""
    is_asked: bool = False

    def is_of(self, place: str, file: File) -> bool:
        """Tell whether the same file lies at the same place."""
        return (self.place, self.file) == (place, file)


class Known(Protocol):
    """All ledgers of one output, read together."""

    def rows(self, rows: Collection[RowId]) -> Sequence[Row]:
        """Return these rows, without those whose photo was taken back meanwhile, or is on its way."""

    def newly_filed(self) -> Iterable[Row]:
        """Yield the rows that no look has seen yet."""

    def at(self, folder: str, names: Collection[str]) -> Sequence[Row]:
        """Return the rows that are not gone and whose place has one of these names in this folder."""

    def displaced(self, folder: str, listing: Listing) -> Sequence[Row]:
        """Return the rows that are not gone, with their place in a folder and not exactly their file there.

        Whether it is exactly the file, `Row.is_exactly` says.

        Args:
            folder: of the output.
            listing: what lies in it now.
        """

    def gone(self, sizes: Collection[int]) -> Sequence[Row]:
        """Return the gone rows whose file, as filed or as last seen, has one of these sizes, or is a link."""

    def how_many(self, name: str) -> int:
        """Return how many photos lie in a class."""


class Contents(Protocol):
    """Reads files of the output; the look itself reads none."""

    def sha256(self, place: str) -> str:
        """Return the hash of a file's content; empty if it cannot be read."""

    def resembles(self, row: RowId, place: str) -> bool:
        """Tell whether a file shows the photo of a row, edited (cosine of embeddings >= 0.99)."""

    def is_another(self, row: RowId, place: str) -> bool | None:
        """Tell whether a file shows another photo than that of a row, and not the same one edited or turned.

        Returns:
            False if nothing speaks for another photo; None if this process cannot tell.
        """


def sizes_of(rows: Iterable[Row]) -> set[int]:
    """Return all sizes that files of these rows may have."""
    return {size for row in rows for size in (row.file.size, row.filed_size)}

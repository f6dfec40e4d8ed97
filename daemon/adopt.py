"""Is a root the folder that the ledger knows, or another folder at the same path? The id in its marker decides.

A bare mount point may carry a marker too, if the first start came while its disk was missing. Without this check the
bare folder would pass for the disk, and photos filed into it would vanish once the disk is back. The rules:

1. Same id: the same root, on whatever device.
2. Nothing is mounted where the known root lay: its mount is missing. No photo is filed until it is back.
3. Something is mounted where nothing was mounted: the first start was a mistake. The mounted folder is used, with a
   message.
4. No marker: the owner made a new folder. It is used, with a message.
5. Another id, and no mount is involved because the folder lies on the mount of the ledger or of "/": the owner replaced
   or restored the folder. It is used, with a message.
6. Another id on the mount point of the known root: disks were swapped. An output waits for the known disk. So does an
   inbox, unless its id was used before, because cards may take turns. If the marker is removed, rule 4 applies.
7. The known inbox could not be written, as a write-protected card in copy mode: it has no marker, and only rules 2 and
   3 apply. Nothing is moved out of it, so another card in its place does no harm.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from common.text import printable
from daemon.files.marker import MARKER, UNMARKED, MountMissingError, mark, read_marker
from daemon.files.mount_points import is_mounted, mount_point
from daemon.ledger.ledger import Ledger
from daemon.ledger.recorded_roots import LedgerRoots, Root


class OtherFolder(NamedTuple):
    """A folder that is not the known root but may be used instead.

    Attributes:
        mounted: whether it was mounted over the known root.
        says: the sentence for the user.
    """

    mounted: bool
    says: str


def check_mounts(ledger: Ledger, inbox: Path, output: Path) -> None:
    """Compare both roots with what the ledger remembers, before anything is written into them.

    Raises:
        MountMissingError: a root is not the known folder and must not be used instead.
        RootError: a marker cannot be read.
    """
    for role, path in (("inbox", inbox), ("output", output)):
        compare(role, path, ledger.roots.get(role), ledger.roots)


def adopt(ledger: Ledger, role: str, path: Path, say: Callable[[str], None] = lambda _: None) -> None:
    """Mark a root unless it is marked already, and record it. If it is another folder than before, tell the user.

    Raises:
        MountMissingError: the root is not the known folder and must not be used instead.
        RootError: the root cannot be written.
    """
    other = compare(role, path, ledger.roots.get(role), ledger.roots)
    ledger.roots.record(role, Root(mark(path, role), mount_point(path), path))
    if other is not None:
        say(other.says)


def compare(role: str, path: Path, known: Root | None, roots: LedgerRoots) -> OtherFolder | None:
    """Return the folder at the path of a root if it differs from the known one but may be used; writes nothing.

    Args:
        role: `inbox` or `output`.
        path: of the root now.
        known: the root as the ledger knows it; None before the first start.
        roots: all roots that the ledger knows.

    Raises:
        MountMissingError: the folder must not be used.
        RootError: the marker cannot be read.
    """
    if known is None or (path != known.path and not path.is_relative_to(known.mount)):
        return None  # another folder was configured
    marker = read_marker(path)
    if marker is not None and marker == known.marker:
        return None  # rule 1
    if not is_mounted(known.mount):
        raise MountMissingError(_away(role, path, known, marker))  # rule 2
    here = mount_point(path)
    if path != known.path:
        return None  # another folder on the same mount was configured
    if here != known.mount:
        return OtherFolder(mounted=True, says=_mounted(role, path, here))  # rule 3
    if known.marker == UNMARKED:
        return None  # rule 7
    if marker is None:  # rule 4
        says = f"the {role} {printable(path)} has no marker, so it is a new folder: phototriage uses it"
        return OtherFolder(mounted=False, says=says)
    # Rule 5, and the cards of rule 6: without this, a restored backup or a second card would pause the daemon for ever.
    if here in (Path("/"), roots.mount) or (role == "inbox" and roots.knows(role, marker)):
        says = (
            f"the {role} {printable(path)} is another folder than last time (its marker differs): phototriage uses it"
        )
        return OtherFolder(mounted=False, says=says)
    raise MountMissingError(_swapped(role, path, here))  # rule 6


def _away(role: str, path: Path, known: Root, marker: str | None) -> str:
    what = "has lost its marker" if marker is None else "is another folder than the one that phototriage knows"
    return (
        f"The {role} {printable(path)} {what}, and nothing is mounted at {printable(known.mount)}. "
        "Mount the disk or share; no photo is filed until then."
    )


def _mounted(role: str, path: Path, here: Path) -> str:
    mount = f"the disk or share at {printable(here)}, where nothing was mounted before"
    says = f"the {role} {printable(path)} is on {mount}: phototriage uses it"
    return f"{says}. Photos filed before are in the folder that the mount now hides" if role == "output" else says


def _swapped(role: str, path: Path, here: Path) -> str:
    return (
        f"The {role} {printable(path)} is another folder than the one that phototriage knows (its marker differs): "
        f"another disk is mounted at {printable(here)}. Mount the known disk; no photo is filed until then. "
        f"To use this disk instead, remove its marker: rm {printable(path / MARKER)}"
    )

"""Whether a root is the folder that was adopted, or another one that stands at its path now: asked of its marker's id.

A mount point can carry a marker too, of a first start while its disk was away. Without the comparison it passes for the
disk whenever that is away, and what is filed into it vanishes when the disk is back. The rules:

1. The same id: it is the same root, whatever device it is on.
2. Nothing is mounted where the known one lay: its mount is away, and nothing is filed before it is back.
3. Something is mounted where nothing was: the first start was the mistake. The mounted one is taken, which is said.
4. A folder without a marker: its owner made it. It is taken, which is said.
5. Another id where no mount takes part, because it lies on the mount of the ledger itself or on that of "/": its owner
   replaced or restored the folder. It is taken, which is said.
6. Another id on the mount point of the known one: disks were swapped. An output waits for the known one; so does an
   inbox, unless its id was adopted before, because cards may take turns. Without its marker it is taken by rule 4.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from contract.text import printable
from daemon.files.marker import MARKER, MountMissingError, mark, read_marker
from daemon.files.mount_points import is_mounted, mount_point
from daemon.ledger.ledger import Ledger
from daemon.ledger.recorded_roots import LedgerRoots, Root


class Other(NamedTuple):
    """Another folder than the known one, which may be taken.

    Attributes:
        mounted: whether it is one that was mounted over the known one.
        says: a sentence about it.
    """

    mounted: bool
    says: str


def check_mounts(ledger: Ledger, inbox: Path, output: Path) -> None:
    """Hold both roots against what the ledger remembers of them; comes before anything is written into them.

    Raises:
        MountMissingError: one of them is not the one that is known, and may not be taken for it.
        RootError: a marker cannot be read.
    """
    for role, path in (("inbox", inbox), ("output", output)):
        compare(role, path, ledger.roots.get(role), ledger.roots)


def adopt(ledger: Ledger, role: str, path: Path, say: Callable[[str], None] = lambda _: None) -> None:
    """Mark a root where that is not done yet, and remember it; where it is another one than before, that is said.

    Raises:
        MountMissingError: it is not the one that is known, and may not be taken for it.
        RootError: it cannot be written.
    """
    other = compare(role, path, ledger.roots.get(role), ledger.roots)
    ledger.roots.record(role, Root(mark(path, role), mount_point(path), path))
    if other is not None:
        say(other.says)


def compare(role: str, path: Path, known: Root | None, roots: LedgerRoots) -> Other | None:
    """Return what stands at the path of a root where that is another folder than the known one; nothing is written.

    Args:
        role: `inbox` or `output`.
        path: where it is looked for now.
        known: as it was adopted; None if there was none yet.
        roots: what was ever adopted.

    Raises:
        MountMissingError: it may not be taken.
        RootError: its marker cannot be read.
    """
    if known is None or (path != known.path and not path.is_relative_to(known.mount)):
        return None  # another folder was configured
    marker = read_marker(path)
    if marker == known.marker:
        return None
    if not is_mounted(known.mount):
        raise MountMissingError(_away(role, path, known, marker))
    here = mount_point(path)
    if path != known.path:
        return None
    if here != known.mount:
        return Other(mounted=True, says=_mounted(role, path, here))
    if marker is None:
        says = f"the {role} {printable(path)} has no marker, so it is a new folder: phototriage uses it"
        return Other(mounted=False, says=says)
    if here in (Path("/"), roots.mount) or (role == "inbox" and roots.knows(role, marker)):
        says = (
            f"the {role} {printable(path)} is another folder than last time (its marker differs): phototriage uses it"
        )
        return Other(mounted=False, says=says)
    raise MountMissingError(_swapped(role, path, here))


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

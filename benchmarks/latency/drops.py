"""How photos come into an inbox, and what their own work and the disk's take on this machine, in the same rhythm."""

import hashlib
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from contract.geometry import to_input
from contract.session import Model

PIECES = 5
SLOWLY_S = 0.2
PAUSE_S = (0.03, 0.08)
UNDER_LOAD_S = 0.05
LOST_S = 30.0


def move_in(source: Path, target: Path) -> float:
    """Move a whole file in; returns the moment before, as the others the moment in which it was whole."""
    now_s = time.monotonic()
    source.rename(target)
    return now_s


def copy(source: Path, target: Path) -> float:
    """Copy it in at once."""
    shutil.copyfile(source, target)
    return time.monotonic()


def write_slowly(source: Path, target: Path) -> float:
    """Write it in pieces, as a camera or a slow line does."""
    data = source.read_bytes()
    size = -(-len(data) // PIECES)
    with target.open("wb", buffering=0) as out:
        for at in range(0, len(data), size):
            out.write(data[at : at + size])
            time.sleep(SLOWLY_S / PIECES)
    return time.monotonic()


WAYS: dict[str, Callable[[Path, Path], float]] = {"moved in": move_in, "copied": copy, "written slowly": write_slowly}


def own_work_s(model: Model, photo: Path) -> float:
    """Seconds for what a photo needs in any case: read, hash, decode, infer."""
    started_s = time.perf_counter()
    data = photo.read_bytes()
    hashlib.sha256(data).hexdigest()
    model.run(to_input(data, model.contract.geometry)[np.newaxis])
    return time.perf_counter() - started_s


def fsync_s(folder: Path, size: int) -> float:
    """Seconds that the disk takes to make one new file of that size safe."""
    path = folder / "fsync"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        os.write(descriptor, bytes(size))
        started_s = time.perf_counter()
        os.fsync(descriptor)
        return time.perf_counter() - started_s
    finally:
        os.close(descriptor)
        path.unlink()


@dataclass
class Dropper(threading.Thread):
    """Drops photos one by one.

    Attributes:
        photos: on the inbox's file system; moving them in uses them up.
        inbox: where to.
        way: how.
        between: called before each drop, after a pause; None under load, where nothing is waited for.
        whole_s: by name, when each was whole in the inbox.
        seen: to be set when the last one dropped was seen in its place.
    """

    photos: Sequence[Path]
    inbox: Path
    way: Callable[[Path, Path], float]
    between: Callable[[Path], None] | None
    whole_s: dict[str, float] = field(default_factory=dict)
    seen: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(name="dropper")

    def run(self) -> None:
        for photo in self.photos:
            if self.between is None:
                time.sleep(UNDER_LOAD_S)
            else:
                time.sleep(random.uniform(*PAUSE_S))
                self.between(photo)
                time.sleep(random.uniform(*PAUSE_S))
            self.seen.clear()
            self.whole_s[photo.name] = self.way(photo, self.inbox / photo.name)
            if self.between is not None:
                self.seen.wait(LOST_S)

    __hash__ = threading.Thread.__hash__

"""Read, decode and classify photos without filing them: what a dry run, a replay and other trials share.

Photos go through the same code as in the pipeline, in batches of the largest bucket. The caller decides what follows
from the scores. Nothing is touched: suspects are looked up in a copy of the crash journal.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from common.silence import silenced
from contract.session import Model
from daemon.classify.buckets import BUCKETS
from daemon.classify.classify import classify
from daemon.decode.decode import decode
from daemon.decode.guard import Guard
from daemon.decode.suspects import JOURNAL, CrashJournal
from daemon.photo import Photo
from daemon.process.clock import Clock
from daemon.process.cores import usable_cores

Found = TypeVar("Found")


def predict(
    found: Sequence[Found],
    photo_of: Callable[[Found], Photo | None],
    model: Model,
    guard: Guard,
    *,
    threads: int = 0,
) -> Iterator[tuple[Found, Photo | None]]:
    """Yield what was found with its photo, in the same order; a terminal shows the progress.

    Each photo then has `scores`, or a `fault` that says why not.

    Args:
        found: what leads to photos.
        photo_of: makes the photo that is read, or None where there is none; called in several threads.
        model: classifies: on the CPU each photo at once, on CUDA a batch.
        guard: decodes.
        threads: how many read; 0 for one a core.

    Raises:
        GpuError: the GPU fails.
    """
    from rich.console import Console
    from rich.progress import track

    def read(one: Found) -> Photo | None:
        photo = photo_of(one)
        if photo is not None:
            _read(photo, model, guard)
        return photo

    some = BUCKETS[-1]
    batches = [found[first : first + some] for first in range(0, len(found), some)]
    shown = track(batches, "", console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with silenced(), ThreadPoolExecutor(threads or usable_cores()) as pool:
        for batch in shown:
            photos = list(pool.map(read, batch))
            if model.provider == "cuda":
                classify(model, [photo for photo in photos if photo is not None])
            yield from zip(batch, photos, strict=True)


def _read(photo: Photo, model: Model, guard: Guard) -> None:
    decode(photo, model.contract.geometry, Clock().wall_s(), guard)
    if model.provider != "cuda":
        classify(model, [photo])


@contextmanager
def trial_guard(state: Path) -> Iterator[Guard]:
    """Yield a guard for a trial: it decodes the daemon's suspects alone too, and changes a copy of its journal.

    Args:
        state: folder of the ledger, which holds the journal; may be missing.
    """
    with tempfile.TemporaryDirectory(prefix="phototriage-") as folder:
        journal = Path(folder) / JOURNAL
        with suppress(OSError):
            shutil.copyfile(state / JOURNAL, journal)
        with closing(CrashJournal(journal)) as notes, closing(Guard(notes)) as guard:
            yield guard

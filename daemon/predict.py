"""Read, decode and classify photos without filing them: what a dry run, a replay, bulk and other trials share.

Photos go through the same code as in the pipeline, in batches of the largest bucket. The caller decides what follows
from the scores. Nothing is touched: suspects are looked up in a copy of the crash journal.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TypeVar

from common.silence import silenced
from daemon.classify.buckets import BUCKETS
from daemon.classify.classify import classify
from daemon.classify.judging import judge_photos, pictures_of
from daemon.classify.loaded_model import LoadedModel
from daemon.decode.decode import decode
from daemon.decode.guard import Guard
from daemon.decode.suspects import JOURNAL, CrashJournal
from daemon.photo import Found, Photo
from daemon.process.clock import Clock
from daemon.process.cores import usable_cores
from daemon.words.words import EMPTY, Words

Case = TypeVar("Case")


def predict(
    cases: Iterable[Case],
    found_of: Callable[[Case], Found | None],
    loaded: LoadedModel,
    guard: Guard,
    *,
    count: int | None,
    threads: int = 0,
    words: Words = EMPTY,
) -> Iterator[tuple[Case, Photo | None]]:
    """Yield each case with its photo, in the same order; a terminal shows the progress.

    Each photo then has `read`, without the pixels, and `judgement`.

    Args:
        cases: what leads to photos; the next ones are taken when these are classified.
        found_of: returns the file to read, or None where there is none; called in several threads.
        loaded: the model, which classifies on the CPU each photo at once, on CUDA a batch; and its rules.
        guard: decodes.
        count: how many cases there are, for the progress; None to show none.
        threads: how many read; 0 for one a core.
        words: of people, which win.

    Raises:
        GpuError: the GPU fails.
    """

    def read(case: Case) -> Photo | None:
        found = found_of(case)
        return None if found is None else _read(found, loaded, guard, words)

    some, left = BUCKETS[-1], iter(cases)
    batches = iter(lambda: list(islice(left, some)), [])
    shown = batches if count is None or not sys.stderr.isatty() else _shown(batches, -(-count // some))
    with silenced(), _readers(threads or usable_cores()) as each:
        for batch in shown:
            photos = list(each(read, batch))
            if loaded.model.provider == "cuda":
                _judge([photo for photo in photos if photo is not None], loaded, words)
            yield from zip(batch, photos, strict=True)


@contextmanager
def _readers(threads: int) -> Iterator[Callable[..., Iterable[Photo | None]]]:
    """Yield what calls a function for each case in order: `map`, or that of a pool if there is more than one thread."""
    if threads == 1:
        yield map
        return
    with ThreadPoolExecutor(threads) as pool:
        yield pool.map


def _shown(batches: Iterable[list[Case]], total: int) -> Iterable[list[Case]]:
    from rich.console import Console
    from rich.progress import track

    return track(batches, "", total=total, console=Console(stderr=True), transient=True)


def _read(found: Found, loaded: LoadedModel, guard: Guard, words: Words) -> Photo:
    dated = loaded.rules.dated or words.need_dates
    read = decode(found, loaded.geometry, Clock().wall_s(), guard, dated=dated)
    photo = Photo(found, read, times_ms=dict(read.times_ms))
    if loaded.model.provider != "cuda":
        _judge([photo], loaded, words)
    return photo


def _judge(photos: list[Photo], loaded: LoadedModel, words: Words) -> None:
    judge_photos(photos, loaded, classify(loaded.model, pictures_of(photos)), words)


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

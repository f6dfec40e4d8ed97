"""The parts of a running daemon as one value, built in the order in which a start checks things.

Each check comes before the first thing that it protects: no folder is created on a bare mount point, no ledger for a
model that may not serve, and no marker in a folder that another process holds.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common.errors import PhototriageError
from common.text import printable
from daemon.adopt import check_mounts
from daemon.classify.buckets import Buckets
from daemon.classify.loaded_model import LoadedModel
from daemon.decode.guard import HANG_S, Guard
from daemon.decode.suspects import JOURNAL, CrashJournal
from daemon.filing.unresolved import UnresolvedMoves
from daemon.intake.filters import PathFilter
from daemon.intake.walk import scan
from daemon.ledger.ledger import Ledger
from daemon.ledger.state_folder import LEDGER, state_folder
from daemon.models.active import ActiveModel, rules_for
from daemon.models.fit import fit_model
from daemon.models.store import ModelFile, ModelStore, called
from daemon.mount_wait import MountWait
from daemon.photo import Mode
from daemon.process.clock import Clock
from daemon.process.restart import restart_process
from daemon.process.signals import SignalHandler, signals
from daemon.roots import InboxLock, RootError, check_roots, take_roots
from daemon.settings import Settings
from daemon.status.monitor import Monitor
from daemon.status.report import Report
from daemon.status.status_thread import status_thread
from daemon.words.active import ActiveWords


@dataclass(frozen=True, slots=True)
class Parts:
    """What a daemon is made of once all checks have passed.

    Attributes:
        settings: what the user asked for.
        once: whether all photos in the inbox are filed once, as `sort` does.
        inbox: its path without links.
        output: its path without links.
        state: folder of the ledger.
        clock: time.
        report: what the user sees.
        monitor: how the daemon is.
        signals: stop and reload.
        ledger: of the inbox, open.
        lock: of the inbox, held.
        path_filter: which files of the inbox are photos.
        unresolved: moves of earlier runs that cannot be checked now.
        guard: decodes.
        buckets: batch sizes on CUDA that are known to fit.
        store: the models that `model use` copied for this inbox.
        models: the active model.
        words: what people said of photos.
        model_file: what its file looked like before it was read.
    """

    settings: Settings
    once: bool
    inbox: Path
    output: Path
    state: Path
    clock: Clock
    report: Report
    monitor: Monitor
    signals: SignalHandler
    ledger: Ledger
    lock: InboxLock
    path_filter: PathFilter
    unresolved: UnresolvedMoves
    guard: Guard
    buckets: Buckets
    store: ModelStore
    models: ActiveModel
    words: ActiveWords
    model_file: ModelFile


def build(stack: ExitStack, settings: Settings, report: Report, *, once: bool) -> Parts | None:
    """Check everything that a daemon needs, and build its parts; None if a signal ends the wait for a missing mount.

    Args:
        stack: closes the parts, the last one first.
        settings: what the user asked for.
        report: what the user sees.
        once: whether all photos in the inbox are filed once.

    Raises:
        PhototriageError: no photo can be filed; the text says why and what to do.
    """
    clock, state = Clock(), state_folder(settings.inbox.resolve())
    monitor = Monitor(
        clock,
        inbox=settings.inbox.resolve(),
        output=settings.output.resolve(),
        device=settings.device,
        say=report.say,
    )
    stopped = stack.enter_context(signals(hang_up=not once))
    status = stack.enter_context(status_thread(monitor, clock, report.say, settings.metrics_file))
    status.listen(state)
    mounts = MountWait(monitor, report, stopped, once)
    roots = mounts.until(partial(_usable_roots, settings))
    if roots is None:
        return None
    inbox, output = roots
    store = ModelStore(state, called(settings.model))
    model_file = store.look()
    model = fit_model(settings, inbox, output, model_file.path)
    ledger = stack.enter_context(closing(Ledger(state / LEDGER)))
    stack.enter_context(_errors_explained())
    if mounts.until(partial(_known_roots, ledger, inbox, output)) is None:
        return None
    lock = take_roots(stack, ledger, roots, Mode(settings.mode), clock.wall_s(), report.say)
    status.listen(state)
    path_filter = PathFilter(inbox, recursive=settings.recursive, ignore=settings.ignore, left_out=[output])
    return Parts(
        settings, once, inbox, output, state, clock, report, monitor, stopped, ledger, lock, path_filter,
        unresolved=UnresolvedMoves(clock, partial(scan, path_filter)),
        guard=stack.enter_context(_guard(state, report, stopped)),
        buckets=Buckets(clock, report.say), store=store,
        models=ActiveModel(LoadedModel(model, rules_for(settings, model), model_file.path)),
        words=ActiveWords(), model_file=model_file,
    )  # fmt: skip


def _usable_roots(settings: Settings) -> tuple[Path, Path]:
    """Check both roots. If the ledger knows that a root lay on a mount, a missing mount is reported as such."""
    if settings.output.is_dir():
        with suppress(RootError):
            return check_roots(settings.inbox, settings.output)
    file = state_folder(settings.inbox.resolve()) / LEDGER
    if file.exists():  # else the output would be created on a bare mount point
        with closing(Ledger(file)) as ledger:
            check_mounts(ledger, settings.inbox.resolve(), settings.output.resolve())
    return check_roots(settings.inbox, settings.output)


def _known_roots(ledger: Ledger, inbox: Path, output: Path) -> bool:
    check_mounts(ledger, inbox, output)
    return True


@contextmanager
def _guard(state: Path, report: Report, stopped: SignalHandler) -> Iterator[Guard]:
    """Yield the decoder. If a photo hangs in it, the process restarts, or ends if it is stopping anyway."""

    def _hung(path: Path) -> None:
        why = f"{printable(path)} has been in the decoder for {HANG_S:.0f} s"
        then = " and tries this photo alone"
        restart_process(report.last_word, why, worked=guard.decoded, signals=stopped, then=then)

    with closing(CrashJournal(state / JOURNAL)) as journal, closing(Guard(journal)) as guard:
        guard.watch(_hung)
        yield guard


@contextmanager
def _errors_explained() -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise PhototriageError(
            f"The daemon stopped because of {error!r}. No photo is lost: photos that were not filed are in the "
            "inbox, and the next start completes what was interrupted."
        ) from error

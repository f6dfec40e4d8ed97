"""Builds a running pipeline from settings, and takes it down again; all checks come before a photo is touched."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from common.errors import GpuError, PhototriageError
from common.silence import silenced
from common.text import printable
from daemon.adopt import adopt, check_mounts
from daemon.classify.buckets import Buckets
from daemon.classify.classify import warm
from daemon.decode.guard import HANG_S, Guard
from daemon.decode.suspects import JOURNAL, CrashJournal
from daemon.decode.workers import decode_pool_for
from daemon.files.identity import is_on_share
from daemon.files.marker import tidy
from daemon.filing.departures import Departures
from daemon.filing.filer import Filer
from daemon.filing.layout import filing_options
from daemon.filing.modes import check_mode
from daemon.filing.unresolved import UnresolvedMoves
from daemon.intake.filters import PathFilter
from daemon.intake.intake import Intake
from daemon.intake.settle import Trigger
from daemon.intake.walk import scan
from daemon.ledger.ledger import Ledger
from daemon.ledger.state_folder import LEDGER, lock_state, state_folder
from daemon.models.active import ActiveModel, LoadedModel, rules_for
from daemon.models.reload import Reloader
from daemon.models.store import ModelStore, called
from daemon.models.wiring import fit_model, reloader, teller
from daemon.photo import Mode
from daemon.pipeline import Pipeline
from daemon.process.clock import Clock
from daemon.process.cores import readers
from daemon.process.restart import restart_process
from daemon.process.sd_notify import notify
from daemon.process.signals import SignalHandler, signals
from daemon.ready import say_ready
from daemon.roots import InboxLock, MountMissingError, RootError, check_roots
from daemon.settings import Settings
from daemon.startup_recovery import recover
from daemon.status.loop import status_thread
from daemon.status.monitor import Monitor
from daemon.status.report import Report
from daemon.status.snapshot_parts import State
from daemon.status.status_line import status_line

MOUNT_LOOK_S = 5.0
SORT_PATIENCE_S = 10.0
"""How long `sort` waits for a program that has read none of its lines; a program that keeps reading gets all lines."""
Found = TypeVar("Found")


def serve(settings: Settings, *, once: bool) -> Report:
    """File photos until a signal comes (`watch`), or all photos in the inbox once (`sort`).

    Raises:
        PhototriageError: no photo can be filed; the text says why and what to do.
    """
    report = Report(
        settings.output.resolve(), as_json=settings.as_json, quiet=settings.quiet, form=settings.log_format,
        patience_s=SORT_PATIENCE_S if once else 0.0,
    )  # fmt: skip
    with closing(report):
        _serve(settings, report, once=once)
    return report


def _serve(settings: Settings, report: Report, *, once: bool) -> None:
    clock = Clock()
    monitor = Monitor(clock, inbox=settings.inbox.resolve(), output=settings.output.resolve())
    state = state_folder(settings.inbox.resolve())
    with ExitStack() as stack:
        stopped = stack.enter_context(signals(hang_up=not once))
        status_loop = stack.enter_context(status_thread(monitor, clock, report.say, settings.metrics_file))
        status_loop.listen(state)
        roots = _wait_for_mounts(lambda: _roots(settings), monitor, report, stopped, once=once)
        if roots is None:
            return
        inbox, output = roots
        store = ModelStore(state, called(settings.model))
        seen = store.looked()
        model = fit_model(settings, inbox, output, seen.path)
        ledger = Ledger(state / LEDGER)
        stack.callback(ledger.close)
        stack.enter_context(_errors_explained())
        if not _roots_mounted(ledger, inbox, output, monitor, report, stopped, once=once):
            return
        lock = stack.enter_context(closing(InboxLock(inbox, ledger.roots, report.say)))
        stack.enter_context(lock_state(state))
        status_loop.listen(state)
        lock.adopt()
        adopt(ledger, "output", output, report.say)
        for root in roots:
            tidy(root, clock.wall_s())
        check_mode(Mode(settings.mode), inbox, output)
        path_filter = PathFilter(inbox, recursive=settings.recursive, ignore=settings.ignore, left_out=[output])
        unresolved = UnresolvedMoves(clock, partial(scan, path_filter))
        recover(ledger, state, clock.wall_s(), unresolved, report.say)
        buckets = Buckets(clock, report.say)
        warm(model, buckets)
        models = ActiveModel(LoadedModel(model, rules_for(settings, model), seen.path))
        guard = stack.enter_context(_guard(state, report, stopped))
        live_reload = None
        if not once:
            tell = teller(state / LEDGER, report, monitor, models)
            live_reload = stack.enter_context(
                closing(reloader(settings, inbox, output, models, store, seen, clock, tell))
            )
        pipeline = _pipeline(
            settings, path_filter, output, models, buckets, ledger, unresolved, guard, lock, report,
            monitor, clock, live_reload,
        )  # fmt: skip
        stopped.on_stop(pipeline.stop)
        if live_reload is not None:
            stopped.reload = partial(_reload, live_reload, pipeline)
            live_reload.begin()
        say_ready(report, monitor, settings, models.current, store, inbox, output)
        with report.progress(path_filter) if once else nullcontext(), silenced():
            pipeline.run(once=once)
        monitor.phase = State.STOPPING
        notify("STOPPING=1")
        report.cut_short = once and stopped.event.is_set()
        report.summary(once=once)


def _roots(settings: Settings) -> tuple[Path, Path]:
    """Check both roots. If the ledger knows that a root lay on a mount, a missing mount is reported as such."""
    if settings.output.is_dir():
        with suppress(RootError):
            return check_roots(settings.inbox, settings.output)
    file = state_folder(settings.inbox.resolve()) / LEDGER
    if file.exists():  # else the output would be created on a bare mount point
        with closing(Ledger(file)) as ledger:
            check_mounts(ledger, settings.inbox.resolve(), settings.output.resolve())
    return check_roots(settings.inbox, settings.output)


def _roots_mounted(
    ledger: Ledger, inbox: Path, output: Path, monitor: Monitor, report: Report, stopped: SignalHandler, *, once: bool
) -> bool:
    """Wait until both roots are mounted; returns False after a signal to stop."""

    def look() -> bool:
        check_mounts(ledger, inbox, output)
        return True

    return bool(_wait_for_mounts(look, monitor, report, stopped, once=once))


def _wait_for_mounts(
    look: Callable[[], Found], monitor: Monitor, report: Report, stopped: SignalHandler, *, once: bool
) -> Found | None:
    """Call `look` until no mount is missing, and report each missing mount once; None after a signal to stop."""
    heartbeat = monitor.stage("start")
    while True:
        heartbeat.begin()
        try:
            found = look()
        except MountMissingError as missing:
            if once:
                raise
            if monitor.missing_mount != str(missing):
                monitor.missing_mount = str(missing)
                report.say(f"paused: {missing}")
                notify(f"READY=1\nSTATUS={status_line(monitor.snapshot())}")
            if stopped.event.wait(MOUNT_LOOK_S):
                return None
        else:
            monitor.missing_mount = ""
            return found


@contextmanager
def _guard(state: Path, report: Report, stopped: SignalHandler) -> Iterator[Guard]:
    """Yield the decoder. If a photo hangs in it, the process restarts, or ends if it is stopping anyway."""

    def _hung(path: Path) -> None:
        why = f"{printable(path)} has been in the decoder for {HANG_S:.0f} s"
        if stopped.event.is_set():
            report.last_word(f"{why}, so phototriage ends without it; the next start tries this photo alone")
            os._exit(1)
        restart_process(report.last_word, why, worked=guard.decoded, then=" and tries this photo alone")

    with closing(CrashJournal(state / JOURNAL)) as journal, closing(Guard(journal)) as guard:
        guard.watch(_hung)
        yield guard


def _pipeline(
    settings: Settings,
    path_filter: PathFilter,
    output: Path,
    models: ActiveModel,
    buckets: Buckets,
    ledger: Ledger,
    unresolved: UnresolvedMoves,
    guard: Guard,
    lock: InboxLock,
    report: Report,
    monitor: Monitor,
    clock: Clock,
    live_reload: Reloader | None,
) -> Pipeline:
    once = live_reload is None
    intake = Intake(path_filter, clock, report.say, watch=not once, known=ledger.known, output=output, check=lock.check)
    filer = Filer(output, ledger, models.current.rules, clock, report.say, unresolved, filing_options(settings))
    departures = Departures(ledger.path, clock, lambda path: intake.hint(path, Trigger.FOUND), report.say)
    cores = settings.workers or readers(inbox_on_share=is_on_share(path_filter.inbox))

    def look() -> None:
        departures.look()
        if live_reload is not None:
            live_reload.look()

    def gpu_lost(error: GpuError, worked: bool) -> None:
        restart_process(report.last_word, f"{error} No photo is lost", worked=worked)

    return Pipeline(
        intake, models, filer, guard, clock, cores=cores, done=report.photos, monitor=monitor, buckets=buckets,
        gpu_lost=gpu_lost, look=look,
        decode_pool=decode_pool_for(settings.decode_in, cores, guard, report.say), rests=departures.rests,
    )  # fmt: skip


def _reload(live_reload: Reloader, pipeline: Pipeline) -> None:
    live_reload.ask()
    pipeline.wake()


@contextmanager
def _errors_explained() -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise PhototriageError(
            f"The daemon stopped because of {error!r}. No photo is lost: photos that were not filed are in the "
            "inbox, and the next start completes what was interrupted."
        ) from error

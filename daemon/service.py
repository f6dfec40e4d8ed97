"""Runs the daemon, or files an inbox once: from settings to the summary at the end."""

from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext
from functools import partial

from common.errors import GpuError
from common.packages import installed_runtimes, two_runtimes
from common.silence import silenced
from daemon.classify.classify import warm
from daemon.decode.workers import decode_pool_for
from daemon.files.identity import is_on_share
from daemon.filing.departures import Departures
from daemon.filing.filer import Filer
from daemon.filing.layout import filing_options
from daemon.intake.intake import Intake
from daemon.intake.settle import QUIET_S, Trigger
from daemon.ledger.embedding_writer import EmbeddingWriter
from daemon.ledger.embeddings import remove_embeddings
from daemon.live_looks import looking
from daemon.live_reload import live_reload, note_start
from daemon.models.reload import Reloader
from daemon.parts import Parts, build
from daemon.photo import Photo
from daemon.pipeline import Pipeline
from daemon.process.cores import readers
from daemon.process.restart import restart_process
from daemon.process.sd_notify import notify
from daemon.ready import say_ready
from daemon.settings import Settings
from daemon.startup_recovery import recover
from daemon.status.report import Report
from daemon.status.snapshot_parts import State

SORT_PATIENCE_S = 10.0
"""How long `sort` waits for a program that has read none of its lines; a program that keeps reading gets all lines."""


def serve(settings: Settings, *, once: bool) -> Report:
    """File photos until a signal comes (`watch`), or all photos in the inbox once (`sort`).

    Raises:
        PhototriageError: no photo can be filed; the text says why and what to do.
    """
    report = Report(
        settings.output.resolve(), as_json=settings.as_json, quiet=settings.quiet, form=settings.log_format,
        patience_s=SORT_PATIENCE_S if once else 0.0,
    )  # fmt: skip
    with closing(report), ExitStack() as stack:
        if problem := two_runtimes(installed_runtimes()):
            report.say(problem)
        parts = build(stack, settings, report, once=once)
        if parts is None:  # a signal to stop came while a mount was missing
            return report
        recover(parts.ledger, parts.state, parts.clock.wall_s(), parts.unresolved, report.say)
        keep = _embeddings(stack, parts)
        warm(parts.models.current.model, parts.buckets)
        stack.enter_context(looking(parts))
        reloader = None if once else stack.enter_context(closing(live_reload(parts)))
        pipeline = _pipeline(parts, reloader, keep)
        parts.signals.on_stop(pipeline.stop)
        if reloader is None:
            note_start(parts)
        else:
            parts.signals.reload = partial(_reload, reloader, pipeline)
            reloader.begin()
        say_ready(parts)
        with report.progress(parts.path_filter) if once else nullcontext(), silenced():
            pipeline.run(once=once)
        parts.monitor.strangers.end()
        parts.monitor.enter(State.STOPPING)
        notify("STOPPING=1")
        report.cut_short = once and parts.signals.event.is_set()
        report.summary(once=once)
    return report


def _embeddings(stack: ExitStack, parts: Parts) -> Callable[[list[Photo]], None]:
    """Return what keeps the embeddings of filed photos; where they are off, remove those that were kept."""
    if parts.settings.embeddings == "off":
        remove_embeddings(parts.state)
        return lambda _: None
    familiarity = parts.models.current.model.contract.familiarity
    return stack.enter_context(closing(EmbeddingWriter(parts.state, familiarity, parts.report.say))).add


def _pipeline(parts: Parts, reloader: Reloader | None, keep: Callable[[list[Photo]], None]) -> Pipeline:
    settings, report, ledger, clock = parts.settings, parts.report, parts.ledger, parts.clock
    intake = Intake(
        parts.path_filter, clock, report.say,
        watch=not parts.once, known=ledger.known, output=parts.output, check=parts.lock.check,
        quiet_s=min(QUIET_S, settings.give_up_after),
    )  # fmt: skip
    filer = Filer(parts.output, ledger, clock, report.say, parts.unresolved, filing_options(settings))
    departures = Departures(ledger.path, clock, lambda path: intake.hint(path, Trigger.FOUND), report.say)
    cores = settings.workers or readers(inbox_on_share=is_on_share(parts.inbox))

    def look() -> None:
        departures.look()
        if reloader is not None:
            reloader.look()

    def done(photos: list[Photo]) -> None:
        report.photos(photos)
        keep(photos)

    def gpu_lost(error: GpuError, worked: bool) -> None:
        restart_process(report.last_word, f"{error} No photo is lost", worked=worked, signals=parts.signals)

    return Pipeline(
        intake, parts.models, filer, parts.guard, clock,
        cores=cores, done=done, monitor=parts.monitor, buckets=parts.buckets, gpu_lost=gpu_lost, look=look,
        words=parts.words, decode_pool=decode_pool_for(settings.decode_in, cores, parts.guard, report.say),
        nothing_more=departures.nothing_to_wait_for,
    )  # fmt: skip


def _reload(reloader: Reloader, pipeline: Pipeline) -> None:
    reloader.ask()
    pipeline.wake()

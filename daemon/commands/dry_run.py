"""`phototriage sort --dry-run`: what would go where. Nothing is touched: no photo, no folder, no marker, no ledger.

Photos are read, judged and given their places by the same code as when they are filed, on a copy of the ledger's rows.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from math import inf
from pathlib import Path

from daemon.classify.decide import CLOCKS_DIFFER_S
from daemon.classify.loaded_model import LoadedModel
from daemon.files.companion_names import is_companion
from daemon.files.identity import is_on_share, look_closely_at
from daemon.filing.layout import filing_options
from daemon.filing.rehearsal import Rehearsal, copied_ledger
from daemon.intake.filters import PathFilter
from daemon.intake.passed import PassedFolders
from daemon.intake.unfinished import Unfinished
from daemon.intake.walk import LeftOut, scan
from daemon.labels.features.words import read_words
from daemon.labels.store.output_ledgers import other_ledgers
from daemon.ledger.state_folder import LEDGER, state_folder
from daemon.models.active import rules_for
from daemon.models.fit import fit_model
from daemon.models.store import ModelStore, called
from daemon.photo import Found, Photo
from daemon.predict import predict, trial_guard
from daemon.process.clock import Clock
from daemon.roots import roots_on_paper
from daemon.settings import Settings
from daemon.status.report import Report
from daemon.status.strangers import Strangers
from daemon.words.words import EMPTY, Words


def rehearse(settings: Settings) -> Report:
    """Say for each photo that is in the inbox now where it would go.

    Raises:
        PhototriageError: nothing could be filed, and why.
    """
    inbox, output = roots_on_paper(settings.inbox, settings.output)
    report = Report(
        output, as_json=settings.as_json, quiet=settings.quiet, form=settings.log_format, patience_s=inf
    )  # nothing waits for this pass, so a user may page through its lines slowly
    with ExitStack() as stack, closing(report):
        file = ModelStore(state_folder(inbox), called(settings.model)).path()
        model = fit_model(settings, inbox, output, file)
        copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phototriage-")))
        ledger = stack.enter_context(closing(copied_ledger(state_folder(inbox), copy, filing_options(settings))))
        guard = stack.enter_context(trial_guard(state_folder(inbox)))
        found = PathFilter(inbox, recursive=settings.recursive, ignore=settings.ignore, left_out=[output])
        left_out, passed = LeftOut(), PassedFolders(found, output, watch=False)
        unfinished = Unfinished()
        ready = [one for one in _found(found, left_out, passed, unfinished) if not ledger.known(one.path, one.identity)]
        for sentence in filter(None, (passed.told()[0], left_out.unreadable, unfinished.told())):
            report.say(sentence)
        # A real run waits for a photo that may still be growing. If it does not grow, it fails then.
        loaded = LoadedModel(model, replace(rules_for(settings, model), give_up_after_s=-inf))
        words = _words(state_folder(inbox) / LEDGER)
        predicted = predict(
            ready, _unless_companion, loaded, guard, count=len(ready), threads=settings.workers, words=words
        )
        photos = [photo or Photo(one) for one, photo in predicted]
        Rehearsal(output, ledger, filing_options(settings)).plan(photos)
        report.photos(photos)
        strangers = Strangers(report.say)
        strangers.add(photos)
        strangers.end()
        _sum_up(report)
    return report


def _words(ledger: Path) -> Words:
    return read_words([ledger, *other_ledgers(ledger)]) if ledger.is_file() else EMPTY


def _found(
    path_filter: PathFilter, left_out: LeftOut, passed: PassedFolders, unfinished: Unfinished
) -> Iterator[Found]:
    now_s = Clock().wall_s() - (CLOCKS_DIFFER_S if is_on_share(path_filter.inbox) else 0.0)
    for path in scan(path_filter, passed=passed.passed, unread=left_out.unread):
        seen = look_closely_at(path)
        if seen is not None and not unfinished.rests(path, seen[0], 0.0, now_s - seen[1]):
            relpath = path.parent.relative_to(path_filter.inbox)
            yield Found(path, seen[0], relpath=relpath, is_companion=is_companion(path))


def _unless_companion(found: Found) -> Found | None:
    return None if found.is_companion else found


def _sum_up(report: Report) -> None:
    report.count_lonely()
    stay = f"; {len(report.waiting)} cannot be read yet, and would be waited for" if report.waiting else ""
    sentence = f"dry run, nothing was touched: {report.counted()}{stay}"
    report.event("summary", sentence, dry_run=True, **report.sums())

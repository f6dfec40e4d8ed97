"""The order of the checks: first the machine, then each inbox, then each model in use once."""

import time
from collections.abc import Iterator, Sequence
from itertools import chain

from common.text import printable
from daemon.doctor.boxed import BoxedCheck, look_at_all
from daemon.doctor.finding import Finding, Level
from daemon.doctor.gpu import look_at_gpu
from daemon.doctor.machine import look_at_machine
from daemon.doctor.packages import look_at_packages, look_at_python
from daemon.doctor.subject import Subject
from daemon.doctor.unit import look_at_sandbox, look_at_unit

Chapter = tuple[str, list[Finding]]


def examine(subjects: Sequence[Subject], models: Sequence[BoxedCheck], device: str) -> Iterator[Chapter]:
    """Yield headings and the findings under each.

    Args:
        subjects: the inboxes to check.
        models: looks at the models in use.
        device: `auto`, `cpu` or `cuda`.
    """
    looks = [list(subject.looks()) for subject in subjects]
    answers = look_at_all([*chain.from_iterable(looks), *models])  # they run beside the checks below
    machine = [look_at_python(), *look_at_packages(), *look_at_machine(time.time()), *look_at_gpu(device)]
    yield "machine", machine
    for subject, wanted in zip(subjects, looks, strict=True):
        found: list[Finding] = list(look_at_unit(subject.unit)) if subject.unit else []
        if subject.unit:
            found += look_at_sandbox(subject.unit, subject.inbox, subject.output)
        for one in wanted:
            found += [_named(finding, one) for finding in next(answers)]
        yield f"{printable(subject.inbox)} -> {printable(subject.output)}", found
    yield "model", [finding for _ in models for finding in next(answers)]


def _named(finding: Finding, look: BoxedCheck) -> Finding:
    """Mark a finding that was made in the service's sandbox."""
    if not look.inside or finding.about == look.about:
        return finding
    return Finding(f"{finding.about} ({look.about})", Level(finding.level), finding.says, finding.cure)

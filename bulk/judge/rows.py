"""From a judged photo to a row of results."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bulk.judge.sources import Source
from bulk.results.schema import FAILED, FILED, LEFT, MS, REVIEW
from common.errors import PhotoError
from daemon.classify.loaded_model import Rules
from daemon.photo import Judgement, Outcome, Photo

_VERDICTS = {Outcome.FILED: FILED, Outcome.REVIEW: REVIEW, Outcome.FAILED: FAILED}


def row_of(case: Mapping[str, Any], photo: Photo | None, source: Source, rules: Rules, host: str) -> dict[str, Any]:
    """Return a photo's row.

    Args:
        case: its row in the plan.
        photo: judged; None if there is no file.
        source: what the row of the plan named.
        rules: of the model.
        host: name of this machine.
    """
    judged = _of_fault(source.fault) if photo is None else photo.judgement
    likeness, embedding, took_ms = judged.likeness, judged.embedding, {} if photo is None else photo.times_ms
    return {
        **case,
        "sha256": "" if photo is None else photo.read.sha256,
        "label": judged.label,
        "top": [{"label": label, "probability": value} for label, value in judged.top.items()],
        "probability": judged.probability,
        "familiarity": None if likeness is None else likeness.familiarity,
        "nearest": None if likeness is None else likeness.nearest,
        "embedding": None if embedding is None else embedding.values,
        "verdict": _VERDICTS.get(judged.outcome, LEFT),
        "folder": judged.folder,
        "reason": judged.reason,
        "review_reason": None if judged.review_reason is None else judged.review_reason.value,
        "error": str(judged.fault) if judged.fault is not None else source.changed or None,
        "model": rules.model,
        "provider": rules.provider,
        "host": host,
        "judged_at": datetime.now(UTC),
        **{f"{step}_ms": took_ms.get(step) for step in MS},
    }


def _of_fault(fault: PhotoError | None) -> Judgement:
    return Judgement(reason="" if fault is None else fault.detail, fault=fault)

"""What audits found about the models of an inbox, as `audit --json` tells it: shown in the report, never learnt."""

import json
from pathlib import Path
from typing import NamedTuple


class Audited(NamedTuple):
    """What people answered, blind, about photos drawn at random from what one model filed.

    Attributes:
        model: SHA-256 of its file.
        in_use: whether it serves.
        answered: photos that were answered.
        accuracy: share that was filed right, weighted by what was filed of each class.
        low, high: ends of Wilson's 95 % interval of it.
        estimated: mean probability that the model gave its photos: no audit.
    """

    model: str
    in_use: bool
    answered: int
    accuracy: float
    low: float
    high: float
    estimated: float


def read_audits(file: Path) -> list[Audited]:
    """Read what `audit --json` printed; models without an answer are left out."""
    models = json.loads(file.read_text(encoding="utf-8"))["models"]
    return [Audited(*(one[name] for name in Audited._fields)) for one in models if one["answered"]]

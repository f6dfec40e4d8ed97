"""What run.json tells beside the figures: why this network was kept, what more photos bring, what the thresholds hold.

Older runs hold less, so each part may be missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.errors import RunError
from training.measure.learning_curve import CurvePoint
from training.run import MANIFEST, Run


@dataclass(frozen=True)
class Promise:
    """What the review thresholds are expected to hold.

    Attributes:
        precision: expected share of right photos among those that are filed; None if it is unknown.
        interval: its 95 % interval.
        coverage: share of photos that are filed.
        sentences: what else there is to know.
    """

    precision: float | None = None
    interval: tuple[float, float] | None = None
    coverage: float | None = None
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class ForeignKind:
    """Pictures of one kind that belong to no class. filed: share that was filed as a class, with its interval."""

    kind: str
    photos: int
    filed: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class ToldFamiliarity:
    """What run.json tells about familiarity.

    Attributes:
        threshold: a photo below is unfamiliar.
        kept_at_least: the share of good photos above it that is promised; None without a promise.
        photos: how many photos chose it.
        low, step: lower edge and width of the first bin of the histogram.
        counts: photos in each bin.
        least: the least familiar photos: path relative to the dataset, and familiarity.
    """

    threshold: float
    kept_at_least: float | None
    photos: int
    low: float
    step: float
    counts: tuple[int, ...]
    least: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, given: Any) -> "ToldFamiliarity | None":
        """Read it; None from a run that does not tell.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        if not given or "histogram" not in given:
            return None
        bins, kept = given["histogram"], given["kept_at_least"]
        return cls(
            float(given["threshold"]),
            None if kept is None else float(kept),
            int(given["photos"]),
            float(bins["low"]),
            float(bins["step"]),
            tuple(map(int, bins["counts"])),
            tuple((str(item["photo"]), float(item["familiarity"])) for item in given["least_familiar"]),
        )


@dataclass(frozen=True)
class Told:
    """Parts of run.json that only newer runs hold.

    Attributes:
        choice: one sentence: which network was kept, and why.
        curve: the learning curve, the smallest share first.
    """

    choice: str = ""
    curve: tuple[CurvePoint, ...] = ()
    promise: Promise | None = None
    foreign: tuple[ForeignKind, ...] = ()
    familiarity: ToldFamiliarity | None = None


def told_by(run: Run) -> Told:
    """Read them.

    Raises:
        RunError: the manifest is damaged.
    """
    manifest = run.manifest
    try:
        return Told(
            str((manifest.get("choice") or {}).get("why", "")),
            tuple(
                CurvePoint(float(item["share"]), int(item["photos"]), float(item["accuracy"]), _pair(item["interval"]))
                for item in manifest.get("learning_curve") or ()
            ),
            _promise(manifest["calibration"]) if manifest.get("calibration") else None,
            tuple(
                ForeignKind(str(item["kind"]), int(item["photos"]), float(item["filed"]), _pair(item["interval"]))
                for item in manifest.get("foreign") or ()
            ),
            ToldFamiliarity.of(manifest.get("familiarity")),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"The manifest {run.path / MANIFEST} is damaged ({error!r}). Train the run again.") from error


def _promise(given: Mapping[str, Any]) -> Promise:
    numbers = {name: None if given.get(name) is None else float(given[name]) for name in ("precision", "coverage")}
    interval = _pair(given["interval"]) if given.get("interval") else None
    return Promise(numbers["precision"], interval, numbers["coverage"], tuple(map(str, given.get("sentences", ()))))


def _pair(values: Any) -> tuple[float, float]:
    low, high = map(float, values)
    return low, high

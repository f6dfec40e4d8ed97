"""The status as Prometheus reads it: on the socket, and as a text file for node_exporter.

The metrics are made of a status when somebody asks, so that filing a photo costs nothing for Prometheus.
Source of the conventions: https://prometheus.io/docs/practices/naming/.
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from math import nan
from typing import TYPE_CHECKING

from common.errors import PhototriageError, Reason
from daemon.ledger.since.label_totals import LabelTotals
from daemon.photo import Outcome
from daemon.review import ReviewReason
from daemon.status.counters import STAGES
from daemon.status.snapshot import StatusSnapshot
from daemon.status.snapshot_parts import CONCLUDED, ModelStatus, StageTimes, State

if TYPE_CHECKING:
    from prometheus_client import Metric

KIND = "text/plain; version=1.0.0; charset=utf-8"
MISSING = (
    "Metrics need prometheus-client, which is not installed here, because the daemon runs without it. "
    'Install the extra `metrics`: pip install ".[metrics]"'
)
STATES = tuple(state for state in State if state not in CONCLUDED)
OUTCOMES = (*(outcome.value for outcome in Outcome if outcome not in (Outcome.UNDONE, Outcome.RETRIED)), "companion")


class MetricsError(PhototriageError):
    """Metrics were requested, but cannot be made."""


def available() -> bool:
    """Tell whether metrics can be made; loads nothing."""
    return find_spec("prometheus_client") is not None


def exposition(status: StatusSnapshot) -> bytes:
    """Return a status in Prometheus's text format.

    Raises:
        MetricsError: the package for it is not installed.
    """
    if not available():
        raise MetricsError(MISSING)
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_StatusCollector(status))
    return generate_latest(registry)


class _StatusCollector:
    """Makes metrics of a status that was taken already."""

    def __init__(self, status: StatusSnapshot) -> None:
        self._status = status
        self._inbox = status.inbox or ""

    def collect(self) -> Iterator["Metric"]:
        """Yield every metric; parts of the daemon that have not started count zero."""
        status = self._status
        yield from self._states(status)
        yield from self._counters(status)
        yield self._stages(status.stages)
        waiting = status.waiting
        for name, words, value in (
            ("waiting_photos", "Photos in the inbox that are known of and not filed yet.", waiting.photos),
            ("oldest_waiting_seconds", "Time since the oldest of them was noticed.", waiting.oldest_s),
            ("blocked_photos", "Photos that wait for a place that cannot be used.", status.blocked.photos),
            ("photos_per_second", "Photos moved into the output, over the last minute.", status.rates["60s"]),
            ("last_filed_timestamp_seconds", "When a photo was filed last.", status.last_filed_at_s),
            ("start_time_seconds", "When the process began.", status.began_at_s),
            ("seen_timestamp_seconds", "When these metrics were made: a text file may be old.", status.at_s),
            ("starts_anew", "How often in a row the process was started anew, for a part of it hung.",
             status.starts_anew),
            ("resident_memory_bytes", "Memory of the process.", status.memory_bytes),
        ):  # fmt: skip
            yield self._gauge(name, words, [((), value or 0)])
        yield from self._labels(status.labels or LabelTotals())
        yield from self._audits(status.labels or LabelTotals(), status.model.sha256 if status.model else "")

    def _labels(self, labels: LabelTotals) -> Iterator["Metric"]:
        for name, words, value in (
            ("labels", "Photos with a label in force: what people said of them.", labels.labels),
            ("label_questions", "Questions about many moved photos that wait for an answer.", labels.questions),
            ("last_look_timestamp_seconds", "When the output was looked at last.", labels.last_look_at_s),
            ("labels_unlearnt", "Labels that the model in use has not learnt from.", labels.unlearnt),
            (
                "corrections_per_1000",
                "Photos that this model filed and people put elsewhere.",
                labels.corrections[0].per_1000,
            ),
            ("corrections_per_1000_before", "The same of the model before.", labels.corrections[1].per_1000),
        ):
            yield self._gauge(name, words, [((), value or 0)])

    def _audits(self, labels: LabelTotals, model: str) -> Iterator["Metric"]:
        yield self._gauge(
            "audited_photos", "Photos that people answered in audits.", [((model,), labels.audited)], "model"
        )
        for name, words, value in (
            ("audited_accuracy", "Share of what the model filed that is right, by audits.", labels.accuracy),
            ("audited_accuracy_low", "Lower bound of its 95 % interval.", labels.accuracy_low),
            ("audited_accuracy_high", "Upper bound of its 95 % interval.", labels.accuracy_high),
        ):  # without an answer there is no share, and 0 would look like one
            yield self._gauge(name, words, [((model,), value if labels.audited else nan)], "model")

    def _states(self, status: StatusSnapshot) -> Iterator["Metric"]:
        states = [((state,), state == status.state) for state in STATES]
        yield self._gauge("state", "The daemon's state: 1 for the one that it is in.", states, "state")
        providers = [((provider,), provider == status.provider) for provider in ("cpu", "cuda")]
        yield self._gauge("provider", "Where the last batch ran: 1 for that processor.", providers, "provider")
        model = status.model or ModelStatus("", "", (), "")
        one = [((model.file, model.sha256, str(len(model.labels))), 1)]
        yield self._gauge("model_info", "The model that serves.", one, "file", "sha256", "classes")

    def _counters(self, status: StatusSnapshot) -> Iterator["Metric"]:
        labels = status.model.labels if status.model else ()
        for name, words, label, known, counts in (
            ("photos", "Photos whose way ended, by outcome.", "outcome", OUTCOMES, status.outcomes),
            ("filed", "Photos filed, by class.", "class", labels, status.classes),
            ("reviews", "Photos that went to review, by reason.", "reason", list(ReviewReason), status.reviews),
            ("failures", "Photos that could not be read, by reason.", "reason", list(Reason), status.failures),
        ):
            values = dict.fromkeys(map(str, known), 0) | counts
            yield self._counter(name, words, [((key,), value) for key, value in values.items()], label)
        for name, words, value in (
            ("known", "Photos that went where a person had put the same or nearly the same one.", status.known),
            ("overflows", "How often the kernel dropped hints; a scan finds what they were about.", status.overflows),
            ("fallbacks", "How often the network changed the processor that it runs on.", status.fallbacks),
            ("cpu_seconds", "Processor time of the process.", status.cpu_s),
        ):
            yield self._counter(name, words, [((), value)])

    def _stages(self, stages: dict[str, StageTimes]) -> "Metric":
        from prometheus_client.core import HistogramMetricFamily

        words = "How long a photo took in each stage: wait (settling and queue), read, decode, infer, file, and total."
        family = HistogramMetricFamily("phototriage_stage_seconds", words, labels=("inbox", "stage"))
        for stage in STAGES:
            buckets = [(bound, float(count)) for bound, count in stages[stage].up_to_s.items()]
            family.add_metric((self._inbox, stage), buckets, stages[stage].sum_s)
        return family

    def _gauge(self, name: str, words: str, values: "Values", *labels: str) -> "Metric":
        from prometheus_client.core import GaugeMetricFamily

        family = GaugeMetricFamily(f"phototriage_{name}", words, labels=("inbox", *labels))
        for keys, value in values:
            family.add_metric((self._inbox, *keys), float(value))
        return family

    def _counter(self, name: str, words: str, values: "Values", *labels: str) -> "Metric":
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily(f"phototriage_{name}", words, labels=("inbox", *labels))
        for keys, value in values:
            family.add_metric((self._inbox, *keys), float(value))
        return family


Values = Iterable[tuple[tuple[str, ...], float]]

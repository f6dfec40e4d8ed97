"""The vitals as Prometheus reads them: on the socket, and as a text file for node_exporter.

The names and numbers come from the monitor's facts, when somebody asks: filing a photo knows nothing of Prometheus.
Source of the conventions: https://prometheus.io/docs/practices/naming/.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from contract.errors import PhototriageError, Reason
from daemon.photo import Outcome
from daemon.status.counters import STAGES
from daemon.status.monitor import STATES

if TYPE_CHECKING:
    from prometheus_client import Metric

KIND = "text/plain; version=1.0.0; charset=utf-8"
MISSING = (
    "Metrics need prometheus-client, which is not installed here, because the daemon runs without it. "
    'Install the extra `metrics`: pip install ".[metrics]"'
)
OUTCOMES = (*(outcome.value for outcome in Outcome if outcome not in (Outcome.UNDONE, Outcome.RETRIED)), "companion")


class MetricsError(PhototriageError):
    """Metrics were asked for and cannot be had."""


def available() -> bool:
    """Tell whether metrics can be made; loads nothing."""
    return find_spec("prometheus_client") is not None


def exposition(facts: Mapping[str, Any]) -> bytes:
    """Return the facts in Prometheus's text format.

    Raises:
        MetricsError: the package for it is not installed.
    """
    if not available():
        raise MetricsError(MISSING)
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Facts(facts))
    return generate_latest(registry)


class _Facts:
    """A collector of what is known already."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self._inbox = str(facts.get("inbox", ""))

    def collect(self) -> Iterator["Metric"]:
        """Yield every metric; those of the daemon's parts that are not there yet are zero."""
        facts = self._facts
        yield from self._states(facts)
        yield from self._counters(facts)
        yield self._stages(facts["stages"])
        waiting = facts["waiting"]
        for name, words, value in (
            ("waiting_photos", "Photos in the inbox that are known of and not filed yet.", waiting["photos"]),
            ("oldest_waiting_seconds", "Time since the oldest of them was noticed.", waiting["oldest_s"]),
            ("blocked_photos", "Photos that wait for a place that cannot be used.", facts["blocked"]["photos"]),
            ("photos_per_second", "Photos moved into the output, over the last minute.", facts["rates"]["60s"]),
            ("last_filed_timestamp_seconds", "When a photo was filed last.", facts["last_filed_at_s"]),
            ("start_time_seconds", "When the process began.", facts["began_at_s"]),
            ("seen_timestamp_seconds", "When these metrics were made: a text file may be old.", facts["at_s"]),
            ("starts_anew", "How often in a row the process was started anew, for a part of it hung.",
             facts["starts_anew"]),
            ("resident_memory_bytes", "Memory of the process.", facts["memory_bytes"]),
        ):  # fmt: skip
            yield self._gauge(name, words, [((), value or 0)])

    def _states(self, facts: Mapping[str, Any]) -> Iterator["Metric"]:
        states = [((state,), state == facts["state"]) for state in STATES]
        yield self._gauge("state", "The daemon's state: 1 for the one that it is in.", states, "state")
        providers = [((provider,), provider == facts["provider"]) for provider in ("cpu", "cuda")]
        yield self._gauge("provider", "Where the last batch ran: 1 for that processor.", providers, "provider")
        model = facts["model"] or {"file": "", "sha256": "", "labels": []}
        one = [((model["file"], model["sha256"], str(len(model["labels"]))), 1)]
        yield self._gauge("model_info", "The model that serves.", one, "file", "sha256", "classes")

    def _counters(self, facts: Mapping[str, Any]) -> Iterator["Metric"]:
        labels = (facts["model"] or {"labels": ()})["labels"]
        for name, words, label, known, counts in (
            ("photos", "Photos whose way ended, by outcome.", "outcome", OUTCOMES, facts["outcomes"]),
            ("filed", "Photos filed, by class.", "class", labels, facts["classes"]),
            ("failures", "Photos that could not be read, by reason.", "reason", list(Reason), facts["failures"]),
        ):
            values = dict.fromkeys(map(str, known), 0) | counts
            yield self._counter(name, words, [((key,), value) for key, value in values.items()], label)
        for name, words, value in (
            ("overflows", "How often the kernel dropped hints; a scan finds what they were about.", facts["overflows"]),
            ("fallbacks", "How often the network changed the processor that it runs on.", facts["fallbacks"]),
            ("cpu_seconds", "Processor time of the process.", facts["cpu_s"]),
        ):
            yield self._counter(name, words, [((), value)])

    def _stages(self, stages: Mapping[str, Any]) -> "Metric":
        from prometheus_client.core import HistogramMetricFamily

        words = "How long a photo took in each stage: wait (settling and queue), read, decode, infer, file, and total."
        family = HistogramMetricFamily("phototriage_stage_seconds", words, labels=("inbox", "stage"))
        for stage in STAGES:
            buckets = [(bound, float(count)) for bound, count in stages[stage]["up_to_s"].items()]
            family.add_metric((self._inbox, stage), buckets, stages[stage]["sum_s"])
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

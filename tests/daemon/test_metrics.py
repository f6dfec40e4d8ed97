"""Prometheus reads what the daemon counts, on the socket and from a file, and every query of the dashboard finds it."""

import json
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.ledger.since.label_totals import LabelTotals
from daemon.status.metrics import exposition
from daemon.status.monitor import Monitor
from daemon.status.snapshot_parts import State
from daemon.status.textfile import EVERY_S, FIRST_S, MetricsFile
from daemon.status.unix_socket import connect
from tests.colour_model import LABELS
from tests.daemon.support import ROOT, HandClock, daemon, environment, model_file, plain, run, wait_until, write

Series = dict[str, list[tuple[dict[str, str], float]]]


def parsed(text: str) -> Series:
    series: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            series.setdefault(sample.name, []).append((sample.labels, sample.value))
    return series


def scraped(state: Path) -> tuple[str, str]:
    """Return head and body, as a scraper gets them."""
    with closing(connect(state, 10.0)) as caller:
        caller.sendall(b"GET /metrics HTTP/1.1\r\nHost: phototriage\r\n\r\n")
        parts = []
        while part := caller.recv(1 << 16):
            parts.append(part)
    head, _, body = b"".join(parts).decode().partition("\r\n\r\n")
    return head, body


def value(series: Series, name: str, **labels: str) -> float:
    (found,) = [number for given, number in series[name] if labels.items() <= given.items()]
    return found


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Series:
    """What a running daemon exports that has filed two photos and failed one."""
    folder = tmp_path_factory.mktemp("exported")
    (folder / "in").mkdir()
    words = ("--inbox", folder / "in", "--output", folder / "out", "--model", model_file(folder))
    env = {"STATE_DIRECTORY": str(folder / "state")}
    with daemon(*words, "--give-up-after", "0", "--metrics-file", folder / "a.prom", env=env) as running:
        running.ready()
        photos = {"a": plain("red"), "b": plain("blue"), "c": plain("red")[:300]}
        for name, data in photos.items():
            write(folder / "new", data).rename(folder / "in" / f"{name}.jpg")
        ended: set[str] = set()
        while len(ended) < len(photos):  # the bad one may be tried again before it is failed
            event = running.until(lambda event: event.get("outcome") in ("filed", "failed"), "the end of their ways")
            ended.add(event["path"])
        answers: list[tuple[str, str]] = []

        def settled() -> bool:
            answers.append(scraped(folder / "state"))
            return value(parsed(answers[-1][1]), "phototriage_waiting_photos") == 0

        wait_until(settled, "the intake to hear that their ways are over")
        head, body = answers[-1]
        assert running.stop() == 0
    assert head.startswith("HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=1.0.0")
    last = parsed((folder / "a.prom").read_text())
    assert value(last, "phototriage_state", state="stopped") == 1
    assert last.keys() == parsed(body).keys()
    return parsed(body)


def test_what_was_filed_and_failed_is_counted_by_class_reason_and_stage(exported: Series) -> None:
    assert {value(exported, "phototriage_filed_total", **{"class": label}) for label in LABELS} == {0.0, 1.0}
    assert value(exported, "phototriage_filed_total", **{"class": "red"}) == 1
    assert value(exported, "phototriage_photos_total", outcome="filed") == 2
    assert value(exported, "phototriage_photos_total", outcome="failed") == 1
    assert value(exported, "phototriage_failures_total", reason="truncated") == 1
    assert value(exported, "phototriage_state", state="ready") == 1
    assert value(exported, "phototriage_provider", provider="cpu") == 1
    assert value(exported, "phototriage_waiting_photos") == 0
    assert value(exported, "phototriage_last_filed_timestamp_seconds") > 1e9
    for stage, count in (("infer", 2), ("file", 3), ("total", 3)):
        assert value(exported, "phototriage_stage_seconds_count", stage=stage) == count
        assert value(exported, "phototriage_stage_seconds_bucket", stage=stage, le="+Inf") == count
    assert sum(number for _, number in exported["phototriage_state"]) == 1
    assert len({labels["inbox"] for samples in exported.values() for labels, _ in samples}) == 1


def test_labels_open_questions_and_the_last_look_are_exported() -> None:
    monitor = Monitor(HandClock(100.0))  # type: ignore[arg-type]
    monitor.labels = LabelTotals({"sea": 2, "street": 3}, 1, 60.0)
    series = parsed(exposition(monitor.snapshot()).decode())
    names = ("labels", "label_questions", "last_look_timestamp_seconds")
    assert [value(series, f"phototriage_{name}") for name in names] == [5, 1, 60]


def test_what_audits_found_is_exported_once_there_is_an_answer() -> None:
    monitor = Monitor(HandClock(100.0))  # type: ignore[arg-type]
    assert isnan(value(parsed(exposition(monitor.snapshot()).decode()), "phototriage_audited_accuracy"))
    monitor.labels = LabelTotals(audited=50, accuracy=0.94, accuracy_low=0.84, accuracy_high=0.98)
    series = parsed(exposition(monitor.snapshot()).decode())
    names = ("photos", "accuracy", "accuracy_low", "accuracy_high")
    assert [value(series, f"phototriage_audited_{name}") for name in names] == [50, 0.94, 0.84, 0.98]
    assert {labels["model"] for labels, _ in series["phototriage_audited_accuracy"]} == {""}


def queries(node: Any) -> Iterator[str]:
    """Yield every query of a dashboard, whatever it hangs below."""
    if isinstance(node, dict):
        for key, below in node.items():
            if key in ("expr", "query") and isinstance(below, str) and "phototriage_" in below:
                yield below
            yield from queries(below)
    elif isinstance(node, list):
        for below in node:
            yield from queries(below)


SELECTOR = re.compile(r"(phototriage_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')
GROUPED = re.compile(r"by \(([^)]*)\)")


def faults(query: str, exported: Series) -> Iterator[str]:
    """Say what a query asks for that is not exported: a metric, a label, or a value of one."""
    known: set[str] = set()
    for name, matchers in SELECTOR.findall(query):
        labels = [given for given, _ in exported.get(name, [])]
        if not labels:
            yield f"no metric {name}"
            continue
        known |= labels[0].keys()
        for label, _, wanted in MATCHER.findall(matchers):
            values = {given.get(label) for given in labels}
            if not wanted.startswith("$") and not set(wanted.split("|")) <= values:
                yield f"{name} has no {label}={wanted}"
            elif label not in labels[0]:
                yield f"{name} has no label {label}"
    for grouped in GROUPED.findall(query):
        yield from (f"no label {label}" for label in re.split(r", *", grouped) if label not in known)


def test_every_query_of_the_dashboard_and_of_the_alerts_asks_for_what_is_exported(exported: Series) -> None:
    dashboard = json.loads((ROOT / "docs" / "grafana.json").read_text(encoding="utf-8"))
    alerts = re.findall(r"^ *expr: (.*)$", (ROOT / "docs" / "status.md").read_text(encoding="utf-8"), re.MULTILINE)
    asked = [*queries(dashboard), *alerts]
    assert len(asked) > 20
    assert len(alerts) > 4
    assert [fault for query in asked for fault in faults(query, exported)] == []
    shown = {name for query in asked for name, _ in SELECTOR.findall(query)}
    left_out = {name.removesuffix("_count").removesuffix("_sum") for name in exported} - shown
    assert left_out <= {"phototriage_stage_seconds", "phototriage_photos_per_second"}, "metrics that nobody looks at"


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("phototriage_filed", "no metric phototriage_filed"),
        ('phototriage_photos_total{outcome="sorted"}', "phototriage_photos_total has no outcome=sorted"),
        ('phototriage_waiting_photos{box=~"$inbox"}', "phototriage_waiting_photos has no label box"),
        ("sum by (klass) (phototriage_filed_total)", "no label klass"),
    ],
)
def test_a_query_for_what_is_not_exported_is_noticed(exported: Series, query: str, fault: str) -> None:
    assert list(faults(query, exported)) == [fault]


WITHOUT = """
import sys
import importlib.util
whole = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "prometheus_client" else whole(name, *rest)
"""


def test_without_the_package_the_daemon_runs_and_says_what_metrics_need(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "site").mkdir()
    write(tmp_path / "site" / "sitecustomize.py", WITHOUT.encode())
    env = {"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}", "STATE_DIRECTORY": str(tmp_path / "state")}
    words = ("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    with daemon(*words, env=env) as running:
        running.ready()
        head, body = scraped(tmp_path / "state")
        assert running.stop() == 0
    assert head.startswith("HTTP/1.0 501 Not Implemented")
    assert body.startswith("Metrics need prometheus-client, which is not installed here")
    done = run("watch", *words, "--metrics-file", tmp_path / "a.prom", env=env)
    assert (done.returncode, done.stderr) == (1, f"phototriage: {body}")


def test_a_daemon_that_nobody_asks_for_metrics_does_not_load_the_package() -> None:
    import subprocess

    script = "import sys, daemon.service; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment())
    assert done.stdout == "False\n", done.stderr


def test_the_file_is_written_from_time_to_time_whole_and_for_others_to_read(tmp_path: Path) -> None:
    clock, said = HandClock(0.0), list[str]()
    monitor = Monitor(clock)  # type: ignore[arg-type]
    path = tmp_path / "a.prom"
    path.symlink_to(write(tmp_path / "precious", b"data"))
    one = MetricsFile(path, monitor, said.append, 0.0)
    one.tick(0.0)
    assert path.is_symlink()
    one.tick(FIRST_S)
    assert not path.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert value(parsed(path.read_text()), "phototriage_state", state="starting") == 1
    monitor.enter(State.READY)
    one.tick(FIRST_S + EVERY_S - 0.1)
    assert value(parsed(path.read_text()), "phototriage_state", state="ready") == 0
    one.tick(one.due_s())
    assert value(parsed(path.read_text()), "phototriage_state", state="ready") == 1
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.prom", "precious"]
    assert (tmp_path / "precious").read_bytes() == b"data"
    assert said == []


def test_a_file_that_cannot_be_written_is_said_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, said = HandClock(0.0), list[str]()
    one = MetricsFile(tmp_path / "a.prom", Monitor(clock), said.append, 0.0)  # type: ignore[arg-type]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.fchmod", full)
        for _ in range(3):
            one.tick(one.due_s())
    assert said == [f"the metrics file {tmp_path / 'a.prom'} cannot be written (No space left on device)"]
    assert list(tmp_path.iterdir()) == []
    one.tick(one.due_s())
    assert (tmp_path / "a.prom").exists()

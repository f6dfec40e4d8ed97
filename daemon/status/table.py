"""How a daemon is, as a small table: one line for each thing that somebody may want to know."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from contract.text import printable
from daemon.process.clock import local
from daemon.status.client import ENDED
from daemon.status.status_line import lasting, waiting_words

_MARGIN = 12


def table(facts: Mapping[str, Any]) -> str:
    """Return the lines about one inbox, from the process's own facts or from the ledger's."""
    rows = [f"  {name:<{_MARGIN}}{printable(value)}" for name, value in _rows(facts) if value]
    return "\n".join([printable(facts.get("inbox") or "an inbox that is not known yet"), *rows])


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "state", _state(facts)
    yield "filed", _filed(facts)
    yield "waiting", _waiting(facts)
    yield "held open", _held_open(facts.get("held_open"))
    for one in facts.get("blocked", {}).get("places", ()):
        yield "blocked", f"{one['photos']:,} for {one['place']}: {one['reason']}"
    yield "speed", _speed(facts)
    yield "failed", _sum(facts["outcomes"].get("failed", 0), facts.get("failures", {}))
    for outcome, name in (("review", "for review"), ("duplicate", "duplicates"), ("left", "left alone")):
        yield name, f"{facts['outcomes'].get(outcome, 0):,}" if facts["outcomes"].get(outcome) else ""
    yield "took", _took(facts.get("stages", {}))
    yield "model", _model(facts.get("model"))
    yield "last filed", _when(facts.get("last_filed_at_s"))
    error = facts.get("last_error")
    yield "last error", f"{_when(error['at_s'])}: {error['error']}" if error else ""
    yield "trouble", _trouble(facts)
    for note in facts.get("notes", ()):
        yield "note", note
    if "pid" in facts:
        yield "since", f"{_when(facts['began_at_s'])}, process {facts['pid']}"
        yield "uses", f"{facts['memory_bytes'] >> 20} MiB of memory, {facts['cpu_s']:,.1f} s of processor time so far"


def _state(facts: Mapping[str, Any]) -> str:
    where = f" on {facts['provider']}" if facts.get("provider") and facts["state"] in ("ready", "degraded") else ""
    preposition = "" if facts["state"] == ENDED else " since"
    since = f"{preposition} {_when(facts['stopped_at_s'])}" if "stopped_at_s" in facts else ""
    return f"{facts['state']}{where}{since}{': ' if facts['why'] else ''}{facts['why']}"


def _filed(facts: Mapping[str, Any]) -> str:
    whence = "" if "pid" in facts else " in all, says the ledger"
    return _sum(facts["filed"], facts["classes"], whence) or f"0{whence}"


def _waiting(facts: Mapping[str, Any]) -> str:
    if "waiting" in facts:
        return waiting_words(facts["waiting"]).replace(" waiting", "")
    files = facts.get("in_inbox")
    return "" if files is None else f"{files:,} file{'s' * (files != 1)} in the inbox"


def _held_open(held: Mapping[str, Any] | None) -> str:
    if not held or not held["files"]:
        return ""
    named = ", ".join(f"{one['path']} for {lasting(one['for_s'])}" for one in held["longest"])
    more = f" and {held['files'] - len(held['longest']):,} more" if held["files"] > len(held["longest"]) else ""
    return f"by programs that write, and left alone until they close it: {named}{more}"


def _sum(count: int, parts: Mapping[str, int], whence: str = "") -> str:
    each = ", ".join(f"{name} {number:,}" for name, number in sorted(parts.items(), key=lambda part: -part[1]))
    return f"{count:,}{whence}{': ' if each else ''}{each}" if count else ""


def _speed(facts: Mapping[str, Any]) -> str:
    if "rates" not in facts:
        return ""
    minute, ten = facts["rates"]["60s"], facts["rates"]["600s"]
    return f"{minute:,.1f} photos/s in the last minute, {ten:,.1f} in the last ten"


def _took(stages: Mapping[str, Any]) -> str:
    means = {name: 1e3 * one["sum_s"] / one["count"] for name, one in stages.items() if one["count"]}
    return ", ".join(f"{name} {mean:.1f} ms" for name, mean in means.items()) + (" on average" if means else "")


def _model(model: Mapping[str, Any] | None) -> str:
    if not model:
        return ""
    note = f" ({model['note']})" if model["note"] else ""
    return f"{model['file']} {model['sha256'][:12]}, {len(model['labels'])} classes{note}"


def _trouble(facts: Mapping[str, Any]) -> str:
    said = (
        ("overflows", "{} times the kernel dropped hints, and a scan found the rest"),
        ("fallbacks", "{} times the network changed the processor it runs on"),
        ("starts_anew", "started anew {} times in a row, for a part of it hung"),
    )
    return "; ".join(words.format(facts[name]) for name, words in said if facts.get(name))


def _when(at_s: float | None) -> str:
    if not at_s:
        return ""
    ago_s = time.time() - at_s
    ago = f", {lasting(ago_s)} ago" if ago_s >= 0 else ""
    return f"{local(at_s):%Y-%m-%d %H:%M:%S}{ago}"

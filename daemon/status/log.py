"""The log: one line for each event that matters, as text, as key=value, or as JSON, with priorities for the journal.

Where the stream is the journal's, each line begins with its priority, as in `<4>`, and `journalctl -p warning` shows
the problems; source: sd-daemon(3) and systemd.exec(5) on JOURNAL_STREAM. Names are escaped before a terminal gets them.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache, partial
from math import inf
from typing import Any, Literal, NamedTuple

from common.text import printable
from daemon.files.identity import photo_id
from daemon.photo import Photo
from daemon.process.log_level import Level
from daemon.status.log_queue import LogQueue, Text

_QUOTED = re.compile(r'[ "=\\]')
_NO_KEY = re.compile(r"[^\w.-]")
Form = Literal["text", "keyvalue", "json"]

END_S = 2.0
"""How long the end of the process waits for a stalled reader."""
ERASE = b"\r\x1b[2K"
"""Erases the line that shows a progress bar."""


class LogLine(NamedTuple):
    """One event: a sentence for people, and facts for structured lines."""

    level: Level
    event: str
    sentence: str
    facts: Callable[[], Mapping[str, Any]] = dict


class Log:
    """Lines for standard output and standard error; any thread may call its methods, which wait for no reader.

    Args:
        form: of the lines.
        as_json: whether standard output carries the facts of each event as JSON, for a script.
        patience_s: how long to wait for a reader of standard output that reads nothing; 0 for a daemon, which drops
            lines instead.
        streams: the descriptors of the two.
    """

    def __init__(
        self, form: Form, *, as_json: bool, patience_s: float = 0.0, streams: tuple[int, int] = (1, 2)
    ) -> None:
        self._form = form
        self._as_json = as_json
        self._patience_s = patience_s
        self._encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        self._journals = [is_journal(stream) for stream in streams]
        self._erase = b""
        gaps = [partial(self._gap, shape) for shape in (self._bare if as_json else self._for_out, self._for_err)]
        out = LogQueue(streams[0], gaps[0], patience_s=max(patience_s, END_S))
        # Two queues for one file would mix up its lines. Two files need two queues, because one reader may stall.
        err = out if _same(*streams) else LogQueue(streams[1], gaps[1], patience_s=END_S)
        self._out, self._err = out, err

    def out(self, lines: list[LogLine]) -> None:
        """Write lines to standard output, in order."""
        shape = self._bare if self._as_json else self._for_out
        self._out.put([self._text(line, shape) for line in lines], wait=self._patience_s > 0)

    def err(self, line: LogLine) -> None:
        """Write a line to standard error."""
        self._err.put([self._text(line, self._for_err)])

    def show(self, picture: str) -> None:
        """Draw on the terminal below the lines of standard error; the next line replaces the picture."""
        self._erase = ERASE
        self._err.show(self._encoded(picture))

    def clear(self) -> None:
        """Stop drawing."""
        self._erase = b""

    def flush(self) -> None:
        """Wait until all lines are written, for a stalled reader only briefly: the process is about to end."""
        self._out.flush(END_S)
        self._err.flush(END_S)

    def close(self) -> None:
        """Write the waiting lines as long as the reader reads, then end."""
        left = self._out.close(inf if self._patience_s else END_S)
        if self._err is not self._out:
            if left:
                self.err(
                    LogLine(Level.WARNING, "dropped", _missing(left, " of standard output"), lambda: {"lines": left})
                )
            self._err.close(END_S)

    def _text(self, line: LogLine, shape: Callable[[LogLine], str]) -> Text:
        erase = self._erase if self._out is self._err or shape == self._for_err else b""
        return erase + self._encoded(shape(line) + "\n"), line.level < Level.INFO

    def _encoded(self, text: str) -> bytes:
        """Return the bytes; characters that the encoding lacks are escaped, so that no name ends the daemon."""
        return text.encode(self._encoding, "backslashreplace")

    def _gap(self, shape: Callable[[LogLine], str], missing: int) -> bytes:
        line = LogLine(Level.WARNING, "dropped", _missing(missing, ""), lambda: {"lines": missing})
        return self._text(line, shape)[0]

    def _bare(self, line: LogLine) -> str:
        return json.dumps({"event": line.event, **line.facts()})

    def _for_out(self, line: LogLine) -> str:
        return self._shaped(line, f"<{line.level:d}>" if self._journals[0] else "")

    def _for_err(self, line: LogLine) -> str:
        return self._shaped(line, f"<{line.level:d}>" if self._journals[1] else "")

    def _shaped(self, line: LogLine, prefix: str) -> str:
        if self._form == "text":
            return "\n".join(prefix + printable(part) for part in line.sentence.split("\n"))
        facts = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": line.level.name.lower(),
            "event": line.event,
            **(line.facts() or {"message": line.sentence}),
        }
        return prefix + (json.dumps(facts) if self._form == "json" else keyvalue(facts))


def _missing(lines: int, where: str) -> str:
    are = "line is" if lines == 1 else "lines are"
    return f"{lines:,} {are} missing{where}, because the reader stalled; `phototriage history` lists every photo"


def _same(one: int, other: int) -> bool:
    first, second = os.fstat(one), os.fstat(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def keyvalue(facts: Mapping[str, Any], prefix: str = "") -> str:
    """Return `key=value` pairs, with quotes where a value needs them and without empty values."""
    pairs = []
    for name, value in facts.items():
        key = _key(name)
        if isinstance(value, Mapping):
            pairs.append(keyvalue(value, f"{prefix}{key}."))
        elif value not in (None, "", [], ()):
            pairs.append(f"{prefix}{key}={_value(value)}")
    return " ".join(filter(None, pairs))


@lru_cache(maxsize=1024)
def _key(name: str) -> str:
    return _NO_KEY.sub("_", name)


def _value(value: object) -> str:
    text = printable(",".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
    return text if not _QUOTED.search(text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_journal(stream: int) -> bool:
    """Tell whether a descriptor goes to systemd's journal."""
    status = os.fstat(stream)
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def facts_of(photo: Photo) -> dict[str, Any]:
    """Return what a line about a photo tells scripts."""
    likeness = photo.judgement.likeness
    return {
        "id": photo_id(photo.found.identity),
        "path": str(photo.path),
        "outcome": photo.filing.outcome.value,
        "label": photo.judgement.label,
        "probability": round(photo.judgement.probability, 6),
        "familiarity": None if likeness is None else round(likeness.familiarity, 6),
        "nearest": None if likeness is None else likeness.nearest,
        "review_reason": photo.judgement.review_reason.value if photo.judgement.review_reason else None,
        "said": photo.judgement.said or None,
        "destination": str(photo.filing.destination) if photo.filing.destination else None,
        "companions": [str(part.filing.destination) for part in photo.filing.companions],
        "reason": photo.filing.reason,
        "sha256": photo.read.sha256,
        "times_ms": {name: round(value, 3) for name, value in photo.times_ms.items()},
    }

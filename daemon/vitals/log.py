"""The log: one line for each event that matters, as text, as key=value, or as JSON, with priorities for the journal.

Where the stream is the journal's, each line begins with its priority, as in `<4>`, and `journalctl -p warning` shows
what went wrong; source: sd-daemon(3) and systemd.exec(5) on JOURNAL_STREAM. Nothing of a name reaches a terminal raw.
"""

import json
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2s
from typing import Any, Literal, NamedTuple, TextIO

from contract.text import printable
from daemon.photo import Identity

_QUOTED = re.compile(r'[ "=\\]')
_NO_KEY = re.compile(r"[^\w.-]")
Form = Literal["text", "keyvalue", "json"]


class Level(IntEnum):
    """How much a line matters; the numbers are syslog's."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


class Line(NamedTuple):
    """One event: as a sentence for people, and as facts for whoever reads structured lines."""

    level: Level
    event: str
    sentence: str
    facts: Callable[[], Mapping[str, Any]] = dict


class Log:
    """Writes lines; its methods may be called from any thread. What cannot be written is no reason to stop filing.

    Args:
        form: of the lines.
        as_json: whether standard output is for a script, which gets the bare facts of each event as JSON.
    """

    def __init__(self, form: Form, *, as_json: bool) -> None:
        self._form = form
        self._as_json = as_json
        self._lock = threading.Lock()
        self._muted = False
        self._journals = {stream: is_journal(stream) for stream in (sys.stdout, sys.stderr)}

    def out(self, lines: list[Line]) -> None:
        """Write lines to standard output, in one piece."""
        shape = self._bare if self._as_json else self._shaped
        text = "\n".join(shape(line, sys.stdout) for line in lines)
        with self._lock:
            if self._muted or not lines:
                return
            try:
                _write(sys.stdout, text)
            except BrokenPipeError:  # whoever read along has gone; the filing goes on
                self._muted = True
                sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
            except OSError:
                return  # a log's disk is full; the next line may find room

    def err(self, line: Line) -> None:
        """Write a line to standard error."""
        with self._lock, suppress(OSError):  # nobody listens, or a log's disk is full
            _write(sys.stderr, self._shaped(line, sys.stderr))

    def _bare(self, line: Line, _: object) -> str:
        return json.dumps({"event": line.event, **line.facts()})

    def _shaped(self, line: Line, stream: TextIO) -> str:
        prefix = f"<{line.level:d}>" if self._journals.get(stream) else ""
        if self._form == "text":
            return "\n".join(prefix + printable(part) for part in line.sentence.split("\n"))
        facts = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": line.level.name.lower(),
            "event": line.event,
            **(line.facts() or {"message": line.sentence}),
        }
        return prefix + (json.dumps(facts) if self._form == "json" else keyvalue(facts))


def photo_id(identity: Identity) -> str:
    """Return the id of a photo in the log and in the ledger: the same as long as the file is, moved or not."""
    words = f"{identity.device}:{identity.inode}:{identity.size}:{identity.mtime_ns}"
    return blake2s(words.encode(), digest_size=5).hexdigest()


def keyvalue(facts: Mapping[str, Any], prefix: str = "") -> str:
    """Return `key=value` pairs, in quotes where a value needs them; what is empty is left out."""
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


def is_journal(stream: TextIO) -> bool:
    """Tell whether a stream goes to systemd's journal."""
    with suppress(OSError, ValueError):  # a stream without a file behind it
        status = os.fstat(stream.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False


def _write(stream: TextIO, text: str) -> None:
    """Write a line; what the terminal's or log's own encoding does not know is escaped: no name ends the daemon."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()

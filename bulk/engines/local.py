"""The local engine: plain processes on this machine, each with one session and one part at a time.

A process for each core with one thread each is the best use of cores for this work (docs/performance.md). A worker that
dies is replaced, and its part is judged again: photos that were in its decoder then, each in a process of its own.
"""

import selectors
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bulk.engines.ends import CUDA_WORKERS, GIVEN_UP, STARTS, TRIES, given_up, how_it_ended, never_ready
from bulk.engines.job import Job
from bulk.engines.member import Member
from bulk.engines.progress import Progress
from bulk.errors import BulkError
from bulk.results.store import ResultStore
from daemon.process.cores import usable_cores

SHOW_S = 1.0


def run_local(job: Job, parts: Iterable[str], store: ResultStore, progress: Progress, workers: int = 0) -> None:
    """Judge parts.

    Args:
        job: what to do.
        parts: names, in the order of the plan.
        store: where the results go.
        progress: hears how it goes.
        workers: how many processes; 0 for one a core.

    Raises:
        BulkError: judging cannot go on, or parts were given up; all others are done.
    """
    with tempfile.TemporaryDirectory(prefix="phototriage-bulk-") as scratch:
        _Team(job, parts, store, progress, workers, Path(scratch)).run()


class _Team:
    """The workers, and what is left to do."""

    def __init__(
        self, job: Job, parts: Iterable[str], store: ResultStore, progress: Progress, workers: int, scratch: Path
    ) -> None:
        self._job, self._store, self._progress, self._scratch = job, store, progress, scratch
        self._left = deque(parts)
        self._asked, self._wanted = workers, 1  # the first alone: a model that cannot be used is said once
        self._members: set[Member] = set()
        self._selector = selectors.DefaultSelector()
        self._deaths: dict[str, int] = {}
        self._given_up: list[str] = []
        self._in_a_row = self._never_ready = 0
        self._is_begun = False

    def run(self) -> None:
        """Go on until nothing is left."""
        try:
            while self._left or any(member.part for member in self._members):
                while len(self._members) < min(self._wanted, self._busy() + len(self._left)):
                    self._start()
                for key, _ in self._selector.select(SHOW_S):
                    self._hear(key.data)
                self._progress.show()
        finally:
            self._end()
        if self._given_up:
            raise BulkError(" ".join(self._given_up))

    def _busy(self) -> int:
        return sum(member.part is not None for member in self._members)

    def _start(self) -> None:
        try:
            member = Member(self._job, self._scratch)
        except OSError as error:
            if self._members:  # go on with fewer
                self._wanted = len(self._members)
                return
            raise BulkError(f"No worker process can be started: {error.strerror}. Free memory or processes.") from error
        self._members.add(member)
        self._selector.register(member, selectors.EVENT_READ, member)

    def _hear(self, member: Member) -> None:
        said = member.heard()
        if said is None:
            self._ended(member)
            return
        for facts in said:
            if "fatal" in facts:
                raise BulkError(facts["fatal"])
            if "trouble" in facts:
                member.trouble = facts["trouble"]
            elif "ready" in facts:
                self._ready(member, facts)
            elif "done" in facts:
                self._done(member, facts)
            elif member.part is not None:
                self._progress.heard(member.part, facts["photos"])

    def _ready(self, member: Member, facts: dict[str, Any]) -> None:
        member.is_ready, self._never_ready = True, 0
        if not self._is_begun:
            self._is_begun = True
            self._store.begin(self._job.facts(), provider=facts["provider"], **facts["about"])
            most = usable_cores() if facts["provider"] == "cpu" else min(usable_cores(), CUDA_WORKERS)
            self._wanted = min(self._asked or most, 1 + len(self._left))
            note = f" ({facts['note']})" if facts["note"] else ""
            self._progress.begin(f"{facts['provider'].upper()}{note}", self._wanted)
        self._next(member)

    def _next(self, member: Member) -> None:
        member.part = None
        if self._left:
            member.give(self._left.popleft())
        else:
            self._selector.unregister(member)
            self._members.remove(member)
            member.stop()
            member.ended()

    def _done(self, member: Member, facts: dict[str, Any]) -> None:
        self._in_a_row = 0
        self._progress.finished(facts["done"], facts["counts"])
        self._next(member)

    def _ended(self, member: Member) -> None:
        self._selector.unregister(member)
        self._members.remove(member)
        how = how_it_ended(member.ended(), member.trouble)
        part = member.part
        if part is None:
            self._never_ready += 1
            if self._never_ready >= STARTS:
                raise BulkError(never_ready(how))
            return
        self._progress.heard(part, 0)
        self._deaths[part] = self._deaths.get(part, 0) + 1
        if self._deaths[part] < TRIES:
            self._left.appendleft(part)
            self._progress.say(f"the worker that judged {part} {how}; {part} is judged again")
            return
        self._in_a_row += 1
        self._given_up.append(given_up(part, how, self._scratch / part))
        if self._in_a_row >= GIVEN_UP:
            raise BulkError(" ".join(self._given_up))

    def _end(self) -> None:
        for member in self._members:
            member.stop()
        for member in self._members:
            member.ended()
        self._selector.close()
        self._progress.clear()

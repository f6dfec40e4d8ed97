"""What an actor of Ray does: it holds one worker process, which is that of the local engine, and has it judge parts.

Photos are decoded in that process and not in the actor. So a photo that kills its decoder takes no actor with it, the
process has the limits that decoding needs, and the actor stays to try the part again on the same disk, where the
journal says which photo it was. Only names and counts pass through Ray.
"""

import json
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bulk.engines.ends import STARTS, TRIES, given_up, how_it_ended, never_ready
from bulk.engines.job import Job
from bulk.engines.member import Member
from bulk.errors import BulkError
from bulk.results.store import ResultStore


class PartActor:
    """Judges parts, one a call.

    Args:
        job: as text.
    """

    def __init__(self, job: str) -> None:
        self._job = Job.from_json(job)
        self._store = ResultStore(self._job.results)
        self._scratch = TemporaryDirectory(prefix="phototriage-bulk-")
        # The worker ends with the thread that started it, and Ray calls from threads that come and go.
        self._starter = ThreadPoolExecutor(1)
        self._member: Member | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Judge the one part of a batch; what there is to say stands in `said`, as JSON."""
        part = str(batch["part"][0])
        try:
            facts = self._judge(part)
        except BulkError as error:
            facts = {"fatal": str(error)}
        return {"said": [json.dumps({"host": platform.node(), "part": part, **facts})]}

    def __del__(self) -> None:
        """End the worker; Ray lets go of an actor's class when the run ends."""
        if self._member is not None:
            self._member.stop()
            self._member.ended()
        self._starter.shutdown()
        self._scratch.cleanup()

    def _judge(self, part: str) -> dict[str, Any]:
        again: list[str] = []
        how = ""
        for _ in range(TRIES):
            member = self._ready()
            member.give(part)
            facts = _answer(member)
            if facts is not None:
                return {**facts, "again": again}
            how = self._ended(member)
            again.append(f"the worker that judged {part} {how}; {part} is judged again")
        return {"given up": given_up(part, how, Path(self._scratch.name, part)), "again": again[:-1]}

    def _ready(self) -> Member:
        """Return the worker with its model open."""
        how = ""
        for _ in range(STARTS):
            if self._member is not None:
                return self._member
            try:
                self._member = member = self._starter.submit(Member, self._job, Path(self._scratch.name)).result()
            except OSError as error:
                raise BulkError(f"no worker process can be started: {error.strerror}.") from error
            facts = _answer(member)
            if facts is None:
                how = self._ended(member)
            elif "fatal" in facts:
                raise BulkError(facts["fatal"])
            else:
                self._store.begin(self._job.facts(), provider=facts["provider"], **facts["about"])
        if self._member is not None:
            return self._member
        raise BulkError(never_ready(how))

    def _ended(self, member: Member) -> str:
        self._member = None
        return how_it_ended(member.ended(), member.trouble)


def _answer(member: Member) -> dict[str, Any] | None:
    """Wait for what a worker says of its start or of a part; None if it ends instead."""
    while (said := member.heard()) is not None:
        for facts in said:
            if "trouble" in facts:
                member.trouble = facts["trouble"]
            elif facts.keys() & {"ready", "done", "fatal"}:
                return facts
    return None

"""Proposals on disk between judging and moving: of a million photos many may move, and all are counted first."""

import gzip
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from daemon.photo import Judgement, Outcome
from daemon.refile.plan import Proposal
from daemon.review import Likeness


class Spool:
    """Keeps proposals in the order in which they were added.

    Args:
        file: empty, to be written and read.

    Attributes:
        count: how many there are.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._out = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1)
        self.count = 0

    def add(self, proposal: Proposal) -> None:
        """Add one."""
        judged = proposal.judgement
        values = [
            *(proposal.row, str(proposal.relpath), proposal.taken.isoformat()),
            *(judged.folder, judged.label, judged.probability, judged.threshold, judged.likeness),
            *(dict(judged.top), judged.model, judged.provider, judged.reason, judged.said),
        ]
        self._out.write(json.dumps(values).encode() + b"\n")
        self.count += 1

    def read(self) -> Iterator[Proposal]:
        """Yield all of them, after the last one was added."""
        self._out.close()
        self._file.seek(0)
        with gzip.GzipFile(fileobj=self._file, mode="rb") as lines:
            for line in lines:
                yield _proposal(line)


@contextmanager
def spooled() -> Iterator[Spool]:
    """Yield a spool in a file without a name, which the system removes at the end."""
    with tempfile.TemporaryFile() as file:
        yield Spool(file)


def _proposal(line: bytes) -> Proposal:
    row, relpath, taken, folder, label, probability, threshold, likeness, top, model, provider, reason, said = (
        json.loads(line)
    )
    judged = Judgement(
        Outcome.FILED, folder, reason, label, probability, threshold, Likeness(*likeness) if likeness else None,
        top=top, model=model, provider=provider, said=said,
    )  # fmt: skip
    return Proposal(row, judged, Path(relpath), datetime.fromisoformat(taken))

"""A worker of the local engine: judges one part after the other, and publishes each. The driver's end: `member.py`.

It reads names of parts from standard input, one a line, and says in lines of JSON how far it is. It ends with the
driver, however that ends.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from bulk.engines.job import Job
from bulk.engines.member import FAILED, HUNG
from bulk.errors import PlanError, StorageError
from bulk.judge.part import PartJudge
from bulk.manifest.parts import open_plan
from bulk.results.schema import VERDICTS
from bulk.results.store import ResultStore
from common.child import tidy_end
from common.errors import GpuError, PhototriageError
from common.text import printable
from daemon.process.child import limit_process


def main() -> None:
    """Judge the parts of the job that the first argument holds; the second is a folder for temporary files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_process()
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")  # decoders may write to descriptor 1

    def say(**facts: Any) -> None:
        out.write(json.dumps(facts) + "\n")

    try:
        with tidy_end():
            _work(Job.from_json(sys.argv[1]), Path(sys.argv[2]), say)
    except (GpuError, StorageError) as error:
        say(trouble=str(error))
        sys.exit(FAILED)
    except PhototriageError as error:
        say(fatal=str(error))


def _work(job: Job, scratch: Path, say: Any) -> None:
    plan, store = open_plan(job.plan), ResultStore(job.results)
    if plan.identity != job.identity:
        raise PlanError(f"{printable(job.plan)} is another plan here. Name a folder that all nodes share.")
    judge = PartJudge(job.model, job.sha256, job.policy, device=job.device)
    model = judge.loaded.model
    say(ready=True, provider=model.provider, note=model.note, about=judge.about())
    for line in sys.stdin:
        name = line.rstrip("\n")
        folder = scratch / name
        folder.mkdir(exist_ok=True)
        table = judge.judge(
            plan.read(name), folder, heard=lambda photos: say(photos=photos), hung=lambda _: os._exit(HUNG)
        )
        store.publish(name, table)
        verdicts = table["verdict"].to_pylist()
        say(done=name, counts={verdict: verdicts.count(verdict) for verdict in VERDICTS})


if __name__ == "__main__":
    main()

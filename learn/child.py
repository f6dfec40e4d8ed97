"""Reads photos and fits a head in a process of its own, with limits: the child's end. The other is `learn/apart.py`."""

import os
import resource
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import click
import numpy as np
from PIL import Image

from common.child import be_the_first_to_go, end_with_parent
from common.errors import PhototriageError
from learn.apart import FAILED, STAYS
from learn.errors import LearnError
from learn.job import Job
from learn.work import MOST_THREADS, work

BASE_BYTES, THREAD_BYTES, LABEL_BYTES = 320 << 20, 192 << 20, 40 << 10
"""Memory beyond what the imports hold (docs/measurements.md): for the network and the fit, for each thread that reads
photos, and for each label."""


def main() -> None:
    """Do the job that the first argument holds, and end with the exit code of the command."""
    end_with_parent()
    be_the_first_to_go()
    for number in (signal.SIGINT, signal.SIGPIPE):  # they end it at once: nothing is half done
        signal.signal(number, signal.SIG_DFL)
    job = Job.from_json(sys.argv[1])
    threads = 1 if job.auto else min(len(os.sched_getaffinity(0)), MOST_THREADS)  # nobody waits for --auto
    try:
        sys.exit(_limited(job, threads))
    except PhototriageError as error:
        click.echo(f"phototriage: {error}", err=True)
        sys.exit(FAILED)


def _limited(job: Job, threads: int) -> int:
    try:
        return work(job, threads, limit_memory)
    except MemoryError as error:
        raise _out_of_memory() from error
    except Exception as error:
        if any(
            sign in str(error).lower() for sign in ("alloc", "serialize", "start new thread")
        ):  # as ONNX Runtime and protobuf say it
            raise _out_of_memory() from error
        raise


def limit_memory(labels: int, threads: int) -> None:
    """Let the process hold as much memory as its work needs, and no more; a stricter limit stays.

    Counted are private writable pages (RLIMIT_DATA), not the files and reserved addresses that RLIMIT_AS counts too.

    Args:
        labels: how many are learnt from.
        threads: that read photos.
    """
    _take_what_stays()
    limit = _held_bytes() + BASE_BYTES + threads * THREAD_BYTES + labels * LABEL_BYTES
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _take_what_stays() -> None:
    """Load what is loaded at its first use else, and let NumPy's and SciPy's BLAS take their buffers.

    Without memory for these, a BLAS ends the process, or tries for ever.
    """
    from scipy.linalg import cho_factor

    for module in ("scipy.optimize", "scipy.stats", "sklearn.cluster", "sklearn.linear_model", "threadpoolctl"):
        import_module(module)
    Image.init()
    square = np.eye(512)
    cho_factor(square @ square)


def _held_bytes() -> int:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return int(status["VmData"].split()[0]) << 10


def _out_of_memory() -> LearnError:
    most = resource.getrlimit(resource.RLIMIT_DATA)[0]
    limit = "there is" if most == resource.RLIM_INFINITY else f"the {most >> 20} MiB that it may use"
    return LearnError(
        f"Learning needs more memory than {limit}. {STAYS} Learn from fewer photos; if `ulimit -d` shows a limit of the"
        " shell or unit, raise it."
    )


if __name__ == "__main__":
    main()

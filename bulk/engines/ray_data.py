"""The engine for many machines: Ray Data hands the names of parts to actors on the nodes of a cluster.

An actor publishes a part before its name comes back, so what is done is known from RESULTS alone. Ray restarts actors
whose process or node has died, as often as that happens, and gives them the part again that they had.
"""

import json
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import ray
import ray.data

from bulk.engines.ends import CUDA_WORKERS, GIVEN_UP
from bulk.engines.job import Job
from bulk.engines.progress import Progress
from bulk.engines.ray_cluster import joined, one_line
from bulk.engines.ray_part import PartActor
from bulk.errors import BulkError
from bulk.results.store import ResultStore


def run_ray(
    job: Job, parts: Sequence[str], store: ResultStore, progress: Progress, workers: int = 0, *, address: str
) -> None:
    """Judge parts on a cluster.

    Args:
        job: what to do; its paths are the same on every node.
        parts: names, in the order of the plan.
        store: where the results go.
        progress: hears how it goes.
        workers: how many actors judge; 0 for one a logical CPU, or `CUDA_WORKERS` a GPU.
        address: HOST:PORT of a cluster.

    Raises:
        BulkError: judging cannot go on, or parts were given up; all others are done.
    """
    with joined(address):
        gpus = _gpus(job)
        most = int(CUDA_WORKERS * gpus or ray.cluster_resources().get("CPU", 0))
        actors = max(1, min(workers or most, len(parts)))
        progress.begin(f"Ray cluster at {address}", actors)
        heard = Heard(store, progress)
        try:
            for facts in _judged(job, parts, actors, with_gpu=gpus > 0):
                heard.of(facts)
        except ray.exceptions.RayError as error:
            raise BulkError(
                f"Ray has given up: {one_line(error)}. The parts that are there are whole; the same command goes on."
            ) from error
        finally:
            progress.clear()
    if heard.given_up:
        raise BulkError(" ".join(heard.given_up))


def _gpus(job: Job) -> float:
    found = float(ray.cluster_resources().get("GPU", 0))
    if job.device == "cuda" and not found:
        raise BulkError("The Ray cluster has no GPU. Pass --device cpu or auto, or join nodes with GPUs.")
    return 0.0 if job.device == "cpu" else found


def _judged(job: Job, parts: Sequence[str], actors: int, *, with_gpu: bool) -> Iterator[dict[str, Any]]:
    """Yield what the actors say, as they say it. Ray Data restarts actors, and tries their tasks again, without end.

    A block for each part, and one part at a time for each actor: what waits at an actor that dies would be late.
    """
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    pool = ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=1)
    names = ray.data.from_items([{"part": part} for part in parts], override_num_blocks=len(parts))
    said = names.map_batches(
        PartActor,
        fn_constructor_args=(job.to_json(),),
        batch_size=1,
        compute=pool,
        num_cpus=1,
        num_gpus=1 / CUDA_WORKERS if with_gpu else None,
    )
    for batch in said.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        yield from map(json.loads, batch["said"].to_pylist())


class Heard:
    """What the driver makes of what the actors say.

    Attributes:
        given_up: sentences about parts that were.

    Args:
        store: where the parts must be.
        progress: hears how it goes.
    """

    def __init__(self, store: ResultStore, progress: Progress) -> None:
        self._store, self._progress = store, progress
        self._hosts: set[str] = set()
        self._last: deque[bool] = deque(maxlen=GIVEN_UP)
        self.given_up: list[str] = []

    def of(self, facts: dict[str, Any]) -> None:
        """Take in what an actor says of a part.

        Raises:
            BulkError: judging cannot go on.
        """
        host, part = facts["host"], facts["part"]
        if "fatal" in facts:
            raise BulkError(f"On the node {host}: {facts['fatal']}")
        for sentence in facts["again"]:
            self._progress.say(f"on the node {host}, {sentence}")
        self._last.append("given up" in facts)
        if "given up" in facts:
            self.given_up.append(f"On the node {host}: {facts['given up']}")
            if sum(self._last) == GIVEN_UP:
                raise BulkError(" ".join(self.given_up))
            return
        if host not in self._hosts:
            self._check(host, part)
        self._progress.finished(part, facts["counts"])

    def _check(self, host: str, part: str) -> None:
        """A folder of the same name on each node would swallow the results."""
        if part not in self._store.done():
            raise BulkError(
                f"The node {host} has published {part}, and it is not in {self._store} as this machine sees it. Name a"
                " folder that all nodes share, or a URL."
            )
        self._hosts.add(host)

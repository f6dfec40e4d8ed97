"""One run from start to end: what is there already, what is left, and what to say about it."""

from pathlib import Path
from typing import Any, Literal

import click

from bulk.engines.job import Job, hash_of_model
from bulk.engines.local import run_local
from bulk.engines.progress import Progress
from bulk.judge.policy import Policy
from bulk.manifest.parts import open_plan
from bulk.results.schema import VERDICTS
from bulk.results.store import ResultStore
from bulk.storage import absolute
from common.child import tidy_end


def run_plan(
    plan: Path,
    output: str,
    model: Path,
    workers: int,
    device: Literal["auto", "cpu", "cuda"],
    *,
    review_below: str | float,
    unfamiliar: Literal["review", "file"],
    as_json: bool,
    ray_address: str | None = None,
) -> dict[str, Any]:
    """Judge what is left of a plan; returns the sums.

    Args:
        plan: a folder.
        output: a folder or URL for the results.
        model: the model file.
        workers: how many processes; 0 for the default.
        device: where the model runs.
        review_below: as in `Policy`.
        unfamiliar: as in `Policy`.
        as_json: whether to print JSON only.
        ray_address: of the Ray cluster that judges; None for processes on this machine.

    Raises:
        BulkError: judging cannot begin or go on.
    """
    opened, store = open_plan(plan), ResultStore(output)
    policy = Policy(review_below, unfamiliar)
    job = Job(
        plan.absolute(), opened.identity, absolute(output), model.absolute(), hash_of_model(model), policy, device
    )
    store.check(job.facts())
    parts, done = opened.parts(), store.done()
    left = [name for name in parts if name not in done]
    progress = Progress(len(parts), len(parts) - len(left), as_json)
    try:
        with tidy_end():
            if left and ray_address is not None:
                from bulk.engines.ray_data import run_ray

                run_ray(job, left, store, progress, workers, address=ray_address)
            elif left:
                run_local(job, left, store, progress, workers)
    except (KeyboardInterrupt, SystemExit):
        click.echo(f"interrupted: {_sums(progress)}. The same command goes on.", err=True)
        raise
    if not as_json:
        click.echo(f"{store}: {_sums(progress)}")
        if not opened.is_complete:
            click.echo("The plan is not complete: give the same `bulk plan` again, and then this command.")
    return progress.summary() | {"plan_is_complete": opened.is_complete}


def _sums(progress: Progress) -> str:
    said = progress.summary()
    done = progress.before + progress.done
    parts = (
        f"all {done:,} parts are judged"
        if done == progress.parts
        else f"{done:,} of {progress.parts:,} parts are judged"
    )
    if not progress.done:
        return f"{parts}, none of them now"
    before = f", {progress.before:,} of them before" if progress.before else ""
    verdicts = ", ".join(f"{said[verdict]:,} {verdict}" for verdict in VERDICTS)
    return f"{parts}{before}; now {said['photos']:,} photos: {verdicts}; {said['photos_per_s']:,.0f}/s"

"""Which provider computes which node, and where the time of a batch of 64 goes."""

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu import graphs
from benchmarks.gpu.bench import Bench, paced, random_images, rate, shipped
from benchmarks.gpu.sessions import make
from contract.metadata import INPUT_NAME, OUTPUT_NAME


def assignment(bench: Bench, data: bytes) -> dict[str, Any]:
    """Nodes by provider as placed before fusions, those left to the CPU by name, and all convolutions on CUDA."""
    session = make(bench, data, config={"session.record_ep_graph_assignment_info": "1"})
    placed = [
        (part.ep_name, node) for part in session.get_provider_graph_assignment_info() for node in part.get_nodes()
    ]
    kinds: dict[str, Counter[str]] = {}
    for provider, node in placed:
        kinds.setdefault(provider, Counter())[node.op_type] += 1
    cpu = [f"{node.op_type}:{node.name}" for provider, node in placed if provider == "CPUExecutionProvider"]
    return {
        "convolutions": {name: count for name, ops in kinds.items() if (count := ops["Conv"] + ops["FusedConv"])},
        "by_provider": {name: dict(ops) for name, ops in kinds.items()},
        "on_cpu": cpu[:12] if bench.cuda else len(cpu),
    }


def speed(bench: Bench, data: bytes) -> dict[str, Any]:
    """Photos a second at some buckets with numpy arrays in and out."""
    session = make(bench, data)
    found: dict[str, Any] = {}
    for size in (1, 8, 64) if bench.cuda else (1, 8):
        images = random_images(size)
        found[str(size)] = rate(size, paced(partial(session.run, [OUTPUT_NAME], {INPUT_NAME: images})))
    return found


def profile(bench: Bench) -> dict[str, Any]:
    """Microseconds a batch of 64 by kind of event and node, as onnxruntime's profile has it; the longest first."""
    session = make(bench, shipped(), profile=bench.folder / "profile")
    images = random_images(64 if bench.cuda else 8)
    runs = 20 if bench.cuda else 2
    for _ in range(runs + 2):
        session.run([OUTPUT_NAME], {INPUT_NAME: images})
    events = json.loads(Path(session.end_profiling()).read_text())
    sums: Counter[str] = Counter()
    for event in events:
        args = event.get("args", {})
        kind = args.get("op_name") or event.get("name", "")
        provider = str(args.get("provider", "")).removesuffix("ExecutionProvider")
        sums[f"{event.get('cat')} {provider} {kind}"[:100]] += int(event.get("dur", 0))
    return {name: round(total / (runs + 2)) for name, total in sums.most_common(25)}


def _of(measure: Callable[[Bench, bytes], Any], bench: Bench, form: Callable[[], bytes]) -> Any:
    return measure(bench, form())


def run(bench: Bench) -> None:
    """The part `nodes`."""

    def forms() -> dict[str, Callable[[], bytes]]:
        return {
            "as shipped": shipped,
            "pads 0,0,1,1": graphs.asymmetric,
            "pads as nodes": lambda: graphs.asymmetric(explicit=True),
            "fp16": graphs.fp16,
        }

    for name, form in forms().items():
        bench.each([(f"{name}: nodes", partial(_of, assignment, bench, form))])
        bench.each([(f"{name}: speed", partial(_of, speed, bench, form))])
    bench.each([("profile of a batch, us", lambda: profile(bench))])

"""What every part works with: where to measure, how long, and a book in which each figure is kept at once."""

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from contract.session import read_contract, read_model
from contract.shipped import SHIPPED_MODEL

ROOT = Path(__file__).resolve().parents[2]


class SkippedError(Exception):
    """Something cannot be measured here; the text says why."""


@dataclass
class Book:
    """Figures of one part, in one JSON file with those of the others; each is on the disk as soon as it is known."""

    file: Path | None
    part: str
    facts: dict[str, Any] = field(default_factory=dict)

    def put(self, key: str, value: Any) -> None:
        self.facts[key] = value
        if self.file is None:
            return
        try:
            whole = json.loads(self.file.read_text())
        except FileNotFoundError:
            whole = {}
        whole[self.part] = self.facts
        fresh = self.file.with_suffix(".part")
        fresh.write_text(json.dumps(whole, indent=1, default=str))
        fresh.replace(self.file)


@dataclass
class Bench:
    """One part under way.

    device   `cuda`, or `cpu` to rehearse without a GPU
    photos   folder of photos, looked through with all below it
    folder   where files may be made
    seconds  when they are over, nothing further is begun
    """

    book: Book
    device: str
    photos: Path
    folder: Path
    seconds: float
    started_s: float = field(default_factory=time.monotonic)

    @property
    def cuda(self) -> bool:
        return self.device == "cuda"

    @property
    def left_s(self) -> float:
        return self.seconds - (time.monotonic() - self.started_s)

    def note(self, key: str, value: Any) -> None:
        """Keep a figure and print it."""
        self.book.put(key, value)
        print(f"{key:34} {told(value)}", flush=True)

    def each(self, tasks: Iterable[tuple[str, Callable[[], Any]]]) -> None:
        """Measure one after the other; one that fails is a finding, and what the time does not reach is said."""
        for key, task in tasks:
            if self.left_s <= 0:
                self.note(key, "skipped: the time of this part is over")
                continue
            try:
                self.note(key, task())
            except SkippedError as error:
                self.note(key, f"skipped: {error}")
            except Exception as error:  # noqa: BLE001 - whatever a library says of this GPU is what is asked for
                self.note(key, f"failed: {type(error).__name__}: {str(error)[:400]}")

    def need_cuda(self) -> None:
        if not self.cuda:
            raise SkippedError("needs CUDA")


def told(value: Any) -> str:
    """A figure, or several, on one line."""
    if isinstance(value, dict):
        return "  ".join(f"{key} {told(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(told(each) for each in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def shipped() -> bytes:
    return read_model(SHIPPED_MODEL)


def size_px() -> int:
    return read_contract(shipped()).geometry.size_px


def random_images(count: int) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    side = size_px()
    return np.random.default_rng(count).integers(0, 256, (count, side, side, 3), np.uint8)


def environment() -> dict[str, str]:
    """Of a child that runs phototriage from this clone."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def paced(run: Callable[[], Any], least_s: float = 0.25, least_runs: int = 8, most_s: float = 3.0) -> list[float]:
    """Seconds of each of as many runs as fit into the time, after two that do not count."""
    run()
    run()
    took: list[float] = []
    began = time.perf_counter()
    while (spent := time.perf_counter() - began) < most_s and (spent < least_s or len(took) < least_runs):
        start = time.perf_counter()
        run()
        took.append(time.perf_counter() - start)
    return took


def rate(count: int, took: list[float]) -> dict[str, float]:
    """Median milliseconds of a run and photos per second."""
    median = float(np.median(took))
    return {"ms": round(1e3 * median, 3), "photos_s": round(count / median)}

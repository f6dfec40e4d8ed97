"""Time of each stage of a training, added up over all its processes."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Timer:
    """Seconds that each stage of a training took."""

    seconds: dict[str, float] = field(default_factory=dict)
    _running: tuple[str, float] | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage, even if it ends in an error. Times of the same stage add up; an inner stage is not counted
        in the outer one.
        """
        outer = self._running[0] if self._running else None
        self._begin(name)
        try:
            yield
        finally:
            self._begin(outer)

    def _begin(self, name: str | None) -> None:
        self.seconds = self.so_far()
        self._running = None if name is None else (name, time.monotonic())

    def so_far(self) -> dict[str, float]:
        """The seconds of each stage, including the running one."""
        if self._running is None:
            return dict(self.seconds)
        name, started = self._running
        return self.seconds | {name: round(self.seconds.get(name, 0.0) + time.monotonic() - started, 2)}

    def add(self, earlier: Mapping[str, float]) -> None:
        """Add the times from before a kill."""
        for name, seconds in earlier.items():
            self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 2)

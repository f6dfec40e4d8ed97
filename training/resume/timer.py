"""Time of each stage of a training, added up over all its processes."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Timer:
    """Seconds that each stage of a training took."""

    seconds: dict[str, float] = field(default_factory=dict)
    _running: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage, even if it ends in an error. Times of the same stage add up."""
        self._running[name] = time.monotonic()
        try:
            yield
        finally:
            self.seconds = self.so_far()
            del self._running[name]

    def so_far(self) -> dict[str, float]:
        """The seconds of each stage, including the running one."""
        now = time.monotonic()
        running = {name: self.seconds.get(name, 0.0) + now - started for name, started in self._running.items()}
        return self.seconds | {name: round(seconds, 2) for name, seconds in running.items()}

    def add(self, earlier: Mapping[str, float]) -> None:
        """Add the times from before a kill."""
        for name, seconds in earlier.items():
            self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 2)

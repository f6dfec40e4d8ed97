"""How long each stage of a training takes, over all the times that it went on after a kill."""

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
        """Time one stage, also when it ends in an error; a second time adds to the first."""
        self._running[name] = time.monotonic()
        try:
            yield
        finally:
            self.seconds = self.so_far()
            del self._running[name]

    def so_far(self) -> dict[str, float]:
        """The seconds of each stage, the one under way included."""
        now = time.monotonic()
        running = {name: self.seconds.get(name, 0.0) + now - started for name, started in self._running.items()}
        return self.seconds | {name: round(seconds, 2) for name, seconds in running.items()}

    def add(self, earlier: Mapping[str, float]) -> None:
        """Count what was done before a kill."""
        for name, seconds in earlier.items():
            self.seconds[name] = round(self.seconds.get(name, 0.0) + seconds, 2)

"""What the driver says of the GPU's memory and use, where nvidia-ml-py or nvidia-smi is there."""

import subprocess
import threading
import time
from typing import Any


def query(*fields: str) -> list[float]:
    """Values that nvidia-smi knows by these names, of the first GPU; empty without it."""
    words = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits", "--id=0"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=20)
        return [float(value) for value in done.stdout.strip().split(",")] if done.returncode == 0 else []
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []


def _handle() -> Any:
    try:
        import pynvml

        pynvml.nvmlInit()
        return pynvml, pynvml.nvmlDeviceGetHandleByIndex(0)
    except Exception:  # noqa: BLE001 - without a driver or the package there is nothing to ask
        return None


def used_mb() -> float | None:
    """MB of the GPU's memory in use by all."""
    found = _handle()
    if found is not None:
        return float(found[0].nvmlDeviceGetMemoryInfo(found[1]).used >> 20)
    told = query("memory.used")
    return told[0] if told else None


class Watch:
    """Samples the GPU's use in per cent every 50 ms while it is entered."""

    def __init__(self) -> None:
        self._handle = _handle()
        self._samples: list[tuple[float, float]] = []
        self._over = threading.Event()

    def __enter__(self) -> "Watch":
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while self._handle is not None and not self._over.wait(0.05):
            library, device = self._handle
            rates = library.nvmlDeviceGetUtilizationRates(device)
            self._samples.append((time.monotonic(), float(rates.gpu)))

    def busy_percent(self, since_s: float, until_s: float) -> float | None:
        """Mean use between two moments of the monotonic clock."""
        some = [value for at_s, value in self._samples if since_s <= at_s <= until_s]
        return round(sum(some) / len(some), 1) if some else None

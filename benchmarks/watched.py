"""A process watched from outside, as a user starts it: its times, its memory, what it says."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common import ROOT

TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 60.0


def phototriage(verb: str, inbox: Path, output: Path, model: Path, *options: str) -> list[str]:
    """The words of a command."""
    paths = ["--inbox", str(inbox), "--output", str(output), "--model", str(model)]
    return [sys.executable, "-m", "phototriage", verb, *paths, *options]


@dataclass
class Watched:
    """A process that was started; what it says goes into files in `place`.

    Attributes:
        codes: exit codes that are no failure.
        started_s: monotonic, when it was started.
        cpu_s: of the whole process and its children, once it has ended.
        peak_mb: the most memory that it held, as seen by `ended`.
    """

    command: Sequence[str]
    place: Path
    codes: tuple[int, ...] = (0,)
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    started_s: float = field(init=False)
    process: "subprocess.Popen[bytes]" = field(init=False)
    _asked: bool = False

    def __post_init__(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        state = {"STATE_DIRECTORY": str(self.place / "state"), "PYTHONPATH": str(ROOT)}
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PHOTOTRIAGE_")}
        with self.said.open("wb") as out, self.errors.open("wb") as err:
            self.started_s = time.monotonic()
            self.process = subprocess.Popen(self.command, stdout=out, stderr=err, env={**variables, **state}, cwd=ROOT)

    @property
    def said(self) -> Path:
        return self.place / "said"

    @property
    def errors(self) -> Path:
        return self.place / "errors"

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> bool:
        """Look whether it has ended; failing ends this program."""
        if self.process.returncode is None:
            with suppress(ValueError, OSError):  # it is about to end; and its own account would tell of this program
                self.peak_mb = memory_kb(self.pid, "VmHWM") / 1024
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if not pid:
                return False
            self.process.returncode = os.waitstatus_to_exitcode(status)
            self.cpu_s = usage.ru_utime + usage.ru_stime
        if self.process.returncode not in (*self.codes, -signal.SIGTERM if self._asked else 0):
            raise SystemExit(f"{' '.join(self.command)}\nended with {self.process.returncode}:\n{self._last_words()}")
        return True

    def until_ready(self) -> float:
        """Wait until the daemon says that it is; returns when that was."""
        end_s = time.monotonic() + PATIENCE_S
        while b"ready:" not in self.errors.read_bytes():
            if self.ended() or time.monotonic() > end_s:
                raise SystemExit(f"{' '.join(self.command)}\nwas never ready:\n{self._last_words()}")
            time.sleep(0.002)
        return time.monotonic()

    def stop(self) -> None:
        """Ask it to end, and wait for it."""
        if not self.ended():
            self._asked = True
            self.process.terminate()
        end_s = time.monotonic() + PATIENCE_S
        while not self.ended():
            if time.monotonic() > end_s:
                self.process.kill()
            time.sleep(0.01)

    def hang_up(self) -> None:
        """Ask it to look for a new model."""
        self.process.send_signal(signal.SIGHUP)

    def cpu_so_far_s(self) -> float:
        """Seconds of CPU time of all its threads until now, in steps of 10 ms."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return self.cpu_s
        return (int(fields[11]) + int(fields[12])) / TICKS

    def _last_words(self) -> str:
        return (self.errors.read_bytes() or self.said.read_bytes())[-2000:].decode(errors="replace")


def memory_kb(pid: int, name: str, file: str = "status") -> int:
    """One line of /proc/PID/status or smaps_rollup; in kB where the kernel says so."""
    for line in Path(f"/proc/{pid}/{file}").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise ValueError(f"no {name} in /proc/{pid}/{file}")

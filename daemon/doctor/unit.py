"""Check a service in systemd: does it run, as which user, and where may its sandbox write?"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from common.text import printable
from daemon.doctor.finding import Finding, fault, ok, warning

BOOTED = Path("/run/systemd/system")
_SYSTEMCTL_S = 3.0
_PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "NRestarts", "MainPID", "User", "StatusText", "Result", "UnitFileState"),
    *("ReadWritePaths", "BindPaths", "ProtectSystem", "ProtectHome", "PrivateUsers", "MemoryMax", "CPUQuotaPerSecUSec"),
)
MANY_RESTARTS = 3


@dataclass(frozen=True, slots=True)
class Unit:
    """One service.

    Attributes:
        name: the unit's name.
        facts: its properties from `systemctl show`; empty if systemd does not answer.
    """

    name: str
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def process(self) -> int:
        """The id of its main process; 0 if it does not run."""
        number = self.facts.get("MainPID", "0")
        return int(number) if number.isdigit() else 0

    @property
    def user(self) -> str:
        """The user that it runs as."""
        return self.facts.get("User", "") or "root"

    def writable(self) -> list[Path]:
        """Return the folders that its sandbox may write to. Each is a separate mount."""
        words = f"{self.facts.get('ReadWritePaths', '')} {self.facts.get('BindPaths', '')}".split()
        return sorted({Path(word.lstrip("-+").split(":")[0]) for word in words})


def unit_of(service: str) -> Unit:
    """Ask systemd about a service; the unit has no facts if systemd does not run or does not answer."""
    name = f"phototriage@{service}.service"
    if not BOOTED.exists() or shutil.which("systemctl") is None:
        return Unit(name)
    ask = ["systemctl", "show", name, f"--property={','.join(_PROPERTIES)}"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=_SYSTEMCTL_S)
    except (OSError, subprocess.TimeoutExpired):
        return Unit(name)
    return Unit(name, dict(line.split("=", 1) for line in answer.stdout.splitlines() if "=" in line))


def look_at_unit(unit: Unit) -> Iterator[Finding]:
    """Report the state of the service."""
    facts = unit.facts
    if not facts:
        why = "systemd does not run on this machine" if not BOOTED.exists() else "systemd does not answer"
        yield warning(
            "service", f"the state of {unit.name} is unknown, because {why}", "phototriage watch --config FILE"
        )
        return
    if facts.get("LoadState") != "loaded":
        short = unit.name.partition("@")[2].removesuffix(".service")
        yield fault(
            "service",
            f"{unit.name} does not exist",
            f"sudo phototriage service install {short} --inbox IN --output OUT",
        )
        return
    state = f"{facts.get('ActiveState')} ({facts.get('SubState')}), as {unit.user}"
    says = f"{unit.name} is {state}" + (f": {printable(facts['StatusText'])}" if facts.get("StatusText") else "")
    if facts.get("ActiveState") == "active":
        yield ok("service", says)
    else:
        yield fault(
            "service",
            f"{says}, result {facts.get('Result')}",
            f"journalctl -u {unit.name} -n 50; sudo systemctl start {unit.name}",
        )
    if facts.get("UnitFileState") not in ("enabled", "enabled-runtime", "static"):
        yield warning("service", "it will not start with the machine", f"sudo systemctl enable {unit.name}")
    restarts = int(facts.get("NRestarts", "0") or 0)
    if restarts >= MANY_RESTARTS:
        yield warning("service", f"it was restarted {restarts} times", f"journalctl -u {unit.name} -p warning")


def look_at_sandbox(unit: Unit, inbox: Path, output: Path) -> Iterator[Finding]:
    """Report from the unit's settings whether it may write to both folders and rename between them."""
    if unit.facts.get("ProtectSystem") != "strict":
        return
    covers = [_cover(unit.writable(), folder) for folder in (inbox, output)]
    for role, folder, cover in zip(("inbox", "output"), (inbox, output), covers, strict=True):
        if cover is None:
            yield fault(
                "sandbox", f"the {role} {printable(folder)} is read-only for {unit.name}: it is in no ReadWritePaths=",
                f"sudo systemctl edit {unit.name}   (ReadWritePaths= the common parent of inbox and output)",
            )  # fmt: skip
    if None in covers:
        return
    if covers[0] != covers[1]:
        yield warning(
            "sandbox", f"inbox and output are in two ReadWritePaths= of {unit.name}. Each is a separate mount, so "
            "every photo is copied instead of renamed",
            f"sudo systemctl edit {unit.name}   (one ReadWritePaths=, their common parent)",
        )  # fmt: skip
    else:
        yield ok("sandbox", f"{unit.name} may write to {printable(covers[0] or '')}, which contains inbox and output")


def _cover(writable: list[Path], folder: Path) -> Path | None:
    """Return the innermost writable path that contains a folder, which is its mount in the sandbox."""
    holding = [path for path in writable if folder.is_relative_to(path)]
    return max(holding, key=lambda path: len(path.parts), default=None)

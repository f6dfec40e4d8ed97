"""Folders on another file system, and another user, for the daemon's tests."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemon.filed_output import FiledOutput
from tests.daemon.support import DEADLINE_S, command, environment


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than `tmp_path`, in memory."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or not os.access(memory, os.W_OK) or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system: /dev/shm is missing, not writable, or where the tests run")
    folder = Path(tempfile.mkdtemp(prefix="phototriage-test-", dir=memory))
    yield folder
    shutil.rmtree(folder)


@dataclass(frozen=True)
class Stranger:
    """Somebody whom permissions bind: root without the rights to pass over them, else the user who runs the tests."""

    folder: Path
    prefix: tuple[str, ...]

    def python(self, script: str) -> "subprocess.CompletedProcess[str]":
        return self._run([sys.executable, "-c", "from pathlib import Path\n" + script])

    def phototriage(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        return self._run(command(*arguments))

    def _run(self, words: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self.prefix, *words], capture_output=True, text=True, timeout=DEADLINE_S, env=environment()
        )


@pytest.fixture
def stranger(tmp_path: Path, require: Callable[[str], str]) -> Iterator[Stranger]:
    """Yield one who can be locked out of folders; what was locked is opened again at the end."""
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        prefix = (require("setpriv"), "--bounding-set=-dac_override,-dac_read_search", "--")
    folder = tmp_path / "stranger"
    folder.mkdir()
    yield Stranger(folder, prefix)
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[FiledOutput]:
    """Yield an inbox, an output and a ledger."""
    one = FiledOutput(tmp_path)
    yield one
    one.ledger.close()

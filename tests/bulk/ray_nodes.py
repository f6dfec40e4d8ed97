"""A Ray cluster of this machine, started as the documentation says: `ray start`, with a token, and no dashboard."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.daemon.support import DEADLINE_S, environment

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "ab" * 32, "RAY_USAGE_STATS_ENABLED": "0"}
_ANY_PORT = ("--min-worker-port=0", "--max-worker-port=0")  # two nodes of one machine must not want the same ports


class RayNodes:
    """Nodes of two logical CPUs each; all end when the test ends.

    Args:
        folder: for the files of Ray; its name must be short, because sockets lie in it.
        modules: a folder that workers import from, too.
    """

    def __init__(self, folder: Path, modules: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self._env = environment(PYTHONPATH=f"{modules}{os.pathsep}{environment()['PYTHONPATH']}", **TOKEN)
        head = self._start(f"--temp-dir={folder}", "--head", f"--port={port}", "--include-dashboard=false")
        self.address = f"127.0.0.1:{port}"
        self._nodes = [head]

    def add(self) -> "subprocess.Popen[bytes]":
        """Join one more node."""
        node = self._start(f"--address={self.address}")
        self._nodes.append(node)
        return node

    def close(self) -> None:
        """Kill all nodes."""
        for node in reversed(self._nodes):
            kill_node(node)

    def _start(self, *words: str) -> "subprocess.Popen[bytes]":
        ray = Path(sys.executable).with_name("ray")
        node = subprocess.Popen(
            [ray, "start", *words, "--block", "--num-cpus=2", "--object-store-memory=100000000",
             "--disable-usage-stats", *_ANY_PORT],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self._env, start_new_session=True,
        )  # fmt: skip
        assert node.stdout is not None
        said = []
        for line in node.stdout:
            said.append(line)
            if b"Ray runtime started" in line:
                return node
        raise AssertionError(b"".join(said).decode())


def kill_node(node: "subprocess.Popen[bytes]") -> None:
    """End a node as a power cut does: with all its processes, and without a word."""
    with suppress(ProcessLookupError):
        os.killpg(node.pid, signal.SIGKILL)
    node.wait(DEADLINE_S)
    assert node.stdout is not None
    node.stdout.close()


def workers(results: Path) -> list[int]:
    """Return the processes that judge into these results."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdecimal() else []
            if b"bulk.engines.worker" in words and any(os.fsencode(results) + b'"' in word for word in words):
                found.append(int(folder.name))
    return found


def parent(pid: int) -> int:
    """Return the process id of a process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

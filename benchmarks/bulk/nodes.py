"""A Ray cluster of this machine, started as docs/bulk.md says: `ray start`, with a token, and no dashboard."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "ab" * 32, "RAY_USAGE_STATS_ENABLED": "0"}
"""What nodes and drivers have in their environment."""
END_S = 60.0
_ANY_PORT = ("--min-worker-port=0", "--max-worker-port=0")  # two nodes of one machine must not want the same ports


class RayNodes:
    """Nodes of two logical CPUs each, which the caller ends with `close`. The first is there at once.

    Args:
        folder: for the files of Ray; its name must be short, because sockets lie in it.
        env: environment of all nodes.
        cores: that the first node may use; None for all.
    """

    def __init__(self, folder: Path, env: Mapping[str, str], cores: set[int] | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self._env = {**env, **TOKEN}
        self._nodes: list[subprocess.Popen[bytes]] = []
        self._start((f"--temp-dir={folder}", "--head", f"--port={port}", "--include-dashboard=false"), cores)

    def add(self, cores: set[int] | None = None) -> "subprocess.Popen[bytes]":
        """Join one more node."""
        return self._start((f"--address={self.address}",), cores)

    def processes(self) -> list[int]:
        """Return the process ids of all that belongs to the nodes."""
        found = [node.pid for node in self._nodes]
        for pid in found:  # it grows meanwhile
            with suppress(OSError):  # each thread has children of its own
                for children in Path(f"/proc/{pid}/task").glob("*/children"):
                    found += map(int, children.read_text(encoding="ascii").split())
        return found

    def close(self) -> None:
        """Kill all nodes."""
        for node in reversed(self._nodes):
            kill_node(node)

    def _start(self, words: Sequence[str], cores: set[int] | None) -> "subprocess.Popen[bytes]":
        ray = Path(sys.executable).with_name("ray")
        with pinned(cores):
            node = subprocess.Popen(
                [ray, "start", *words, "--block", "--num-cpus=2", "--object-store-memory=100000000", *_ANY_PORT],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self._env, start_new_session=True,
            )  # fmt: skip
        self._nodes.append(node)
        assert node.stdout is not None
        said = []
        for line in node.stdout:
            said.append(line)
            if b"Ray runtime started" in line:
                return node
        raise SystemExit(b"".join(said).decode())


def kill_node(node: "subprocess.Popen[bytes]") -> None:
    """End a node as a power cut does: with all its processes, and without a word."""
    with suppress(ProcessLookupError):
        os.killpg(node.pid, signal.SIGKILL)
    node.wait(END_S)
    assert node.stdout is not None
    node.stdout.close()


@contextmanager
def pinned(cores: set[int] | None) -> Iterator[None]:
    """Let what is started meanwhile use these cores alone; None for all."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

"""A real network share for tests: Debian's sshfs, and an SFTP server that answers on this machine's loopback alone."""

import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.daemon.support import wait_until

SFTP_SERVER = "/usr/lib/openssh/sftp-server"
TOOLS = ("sshfs", "fusermount3", SFTP_SERVER)


class Share:
    """A folder of a server, and the folder at which it is mounted; both are made.

    Args:
        folder: to hold the two.
        options: of sshfs.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.server_side = folder / "server"
        self.mounted = folder / "mounted"
        for path in (self.server_side, self.mounted):
            path.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._options = ",".join((f"directport={self._port}", "reconnect", *options))
        self._server: subprocess.Popen[bytes] | None = None
        self._client: subprocess.Popen[bytes] | None = None

    def serve(self) -> None:
        """Start the server."""
        words = [sys.executable, str(Path(__file__)), str(self._port)]
        self._server = subprocess.Popen(words, start_new_session=True)
        wait_until(self._answers, "the server")

    def kill_server(self) -> None:
        """Kill the server with all that it has under way."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
            self._server = None

    def mount(self) -> None:
        """Mount the server's folder."""
        words = ["sshfs", "-f", "-o", self._options, f"127.0.0.1:{self.server_side}", str(self.mounted)]
        self._client = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.ismount(self.mounted), "the mount")

    def unmount(self) -> None:
        """Take the mount away, whoever is in it."""
        if self._client is not None:
            subprocess.run(["fusermount3", "-u", "-z", str(self.mounted)], check=False, stderr=subprocess.DEVNULL)
            self._client.terminate()
            self._client.wait()
            self._client = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port)).close()
        except ConnectionRefusedError:
            return False
        return True


@contextmanager
def share(folder: Path, *options: str) -> Iterator[Share]:
    """Yield a share that is served and mounted."""
    made = Share(folder, *options)
    try:
        made.serve()
        made.mount()
        yield made
    finally:
        made.unmount()
        made.kill_server()
        shutil.rmtree(made.server_side)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        talk = self.request.fileno()
        subprocess.run([SFTP_SERVER], stdin=talk, stdout=talk, check=False)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    serve: Callable[[], None] = _Server(("127.0.0.1", int(sys.argv[1])), _Connection).serve_forever
    serve()

"""The child's end: reads, hashes and decodes one photo after the other, and answers.

It imports only what that needs: neither onnxruntime nor SQLite. It ends when the daemon ends, however that happens, and
by itself after some time without work.
"""

import signal
import socket
import sys
from datetime import datetime

from contract.formats import readable_formats
from contract.geometry import Geometry, Pixels
from daemon.decode.decode import decode_here
from daemon.decode.guard import decode_pixels
from daemon.decode.isolated import MEMORY_BYTES
from daemon.decode.protocol import QUESTION, READY, answer, asked, path_bytes, wait_at_most
from daemon.photo import Found
from daemon.process.child import limit_process


class _LocalDecoder:
    """Decodes without the crash journal and the memory budget, because the daemon keeps both."""

    def take_room(self, found: Found) -> None:
        pass

    def give_room(self, found: Found) -> None:
        pass

    def pixels(self, found: Found, data: bytes, geometry: Geometry, *, dated: bool) -> tuple[Pixels, datetime | None]:
        return decode_pixels(found, data, geometry, dated=dated)


def main() -> None:
    """Serve the socket on standard input until it is closed, or silent for as many seconds as the argument says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_process(MEMORY_BYTES)
    readable_formats()
    with socket.socket(fileno=0) as connection:
        wait_at_most(connection, float(sys.argv[1]))
        connection.sendall(READY)
        try:
            _serve(connection)
        except (BlockingIOError, ConnectionError):
            return  # no work for some time, or no daemon


def _serve(connection: socket.socket) -> None:
    while head := connection.recv(QUESTION.size, socket.MSG_WAITALL):
        number, found, geometry, wall_s, dated = asked(head, connection.recv(path_bytes(head), socket.MSG_WAITALL))
        read = decode_here(found, geometry, wall_s, _LocalDecoder(), dated=dated)
        connection.sendall(answer(number, read, geometry))


if __name__ == "__main__":
    main()

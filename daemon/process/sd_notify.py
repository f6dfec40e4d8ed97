"""Tell systemd how the service is, by the protocol of sd_notify(3): one datagram to the socket it names."""

import os
import socket

PATIENCE_S = 2.0
"""How long a supervisor may take to take a message; what it does not take is not said again."""


def is_supervised() -> bool:
    """Tell whether a supervisor such as systemd runs this process, and is told how it is."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def notify(message: str) -> None:
    """Send `READY=1`, `STOPPING=1` or `STATUS=...`; does nothing where no supervisor listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.settimeout(PATIENCE_S)
        try:
            out.connect(address)
            out.sendall(message.encode())
        except OSError:
            return  # a supervisor that does not listen, or not now, must not stop the filing

"""Tells systemd the state of the service by sd_notify(3): one datagram to the socket in NOTIFY_SOCKET."""

import os
import socket

PATIENCE_S = 2.0
"""How long a supervisor may take to accept a message; a refused message is not repeated."""


def is_supervised() -> bool:
    """Tell whether a supervisor such as systemd runs this process and takes its messages."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def notify(message: str) -> None:
    """Send `READY=1`, `STOPPING=1` or `STATUS=...`; does nothing if no supervisor listens."""
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
            return  # a supervisor that does not listen must not stop the filing

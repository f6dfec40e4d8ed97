"""A web server on loopback, and a network on which it is the public internet."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from collect.web.fetch import Fetcher, Network
from collect.web.watch import Limits

PUBLIC, PRIVATE = "127.0.0.1", "127.0.0.2"
"""The address that counts as public in these tests, and one that does not, although a server answers there."""

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers one request by the routes of its server."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        answer = self.server.routes.get(urlsplit(self.path).path)
        with suppress(OSError):  # the client had enough
            if answer is None:
                self.reply(b"", "text/plain", 404)
            else:
                answer(self)

    @property
    def words(self) -> dict[str, str]:
        """The query."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def reply(
        self, body: bytes, kind: str = "image/jpeg", status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer with a whole body."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def reply_json(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Answer as a service does."""
        self.reply(json.dumps(value).encode(), "application/json", status, headers)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Answers by its routes, and notes what was asked.

    Attributes:
        over: is set when the test ends; an answer that never ends waits for it.
    """

    def __init__(self, address: str) -> None:
        super().__init__((address, 0), Handler)
        self.routes: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()

    def url(self, path: str, host: str = "photos.test", scheme: str = "http") -> str:
        """Return the address of a path."""
        return f"{scheme}://{host}:{self.server_port}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients hang up here on purpose."""


@contextmanager
def serving(address: str = PUBLIC, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run a server while the block runs."""
    with Server(address) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


def network(resolve: Callable[[str, int], Sequence[str]] = lambda host, port: [PUBLIC], **more: Any) -> Network:
    """Return a network of plain HTTP, whose only public address is `PUBLIC`."""
    return Network(frozenset({"http"}), lambda address: address == PUBLIC, resolve, **more)


def fetcher(limits: Limits | None = None, on: Network | None = None, **more: Any) -> Fetcher:
    """Return a fetcher on that network."""
    return Fetcher("phototriage (test)", limits, on or network(), **more)


def no_wait(seconds: float) -> None:
    """Wait, in a test that must not."""

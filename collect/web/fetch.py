"""Fetch one URL of a stranger: https, a public address, and no more bytes, seconds and redirects than allowed.

The name is resolved once for each request, its addresses are checked, and the connection goes to a checked address,
with the name in TLS and in `Host`. So a name whose address changes between the check and the connection gains nothing.
Redirects are followed here, and each is checked like the first URL. No proxy, no cookies, no compression.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from collect.errors import BusyError, FetchError, ForbiddenError
from collect.web.addresses import addresses_of, is_public
from collect.web.retry_after import retry_after_s
from collect.web.watch import Limits, Watch, WatchedSocket
from common.text import printable

REDIRECTS = (301, 302, 303, 307, 308)
BUSY = (429, 503)
PIECE = 1 << 16
_SAFE = "/%:@!$&'()*+,;=~-._?"
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Network:
    """How hosts are reached.

    Attributes:
        schemes: of URLs that may be fetched.
        may_connect: whether a stranger's URL may lead to an address.
        resolve: returns the addresses of a host.
        tls: how servers prove their names.
    """

    schemes: frozenset[str] = frozenset({"https"})
    may_connect: Callable[[str], bool] = is_public
    resolve: Callable[[str, int], Sequence[str]] = addresses_of
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)


class Fetched(NamedTuple):
    """A body, and the type that the server calls it."""

    body: bytes
    kind: str


class Fetcher:
    """Fetches one URL after the other.

    Args:
        user_agent: what servers read of this program.
        limits: of each download.
        network: how hosts are reached.
        clock: returns seconds.
    """

    def __init__(
        self,
        user_agent: str,
        limits: Limits | None = None,
        network: Network | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits, self._network = limits or Limits(), network or Network()
        self.user_agent, self._clock = user_agent, clock

    def photo(self, url: str) -> bytes:
        """Return the bytes of a photo, as they are.

        Raises:
            FetchError: it cannot be fetched; the text is the reason alone.
        """
        fetched = self._get(url, "image/*", self.limits.photo_bytes)
        if not fetched.kind.startswith("image/") and fetched.kind not in ("", "application/octet-stream"):
            raise FetchError(f"it is no picture, but {printable(fetched.kind)[:80]}", lasting=True)
        return fetched.body

    def answer(self, url: str) -> bytes:
        """Return the answer of a service.

        Raises:
            FetchError: as `photo`.
        """
        return self._get(url, "application/json", self.limits.answer_bytes).body

    def _get(self, url: str, accept: str, most: int) -> Fetched:
        watch = Watch(self.limits, self._clock)
        try:
            for _ in range(self.limits.redirects + 1):
                with self._response(self._checked(url), accept, watch) as response:
                    if response.status not in REDIRECTS:
                        return _body(response, most)
                    url = urljoin(url, response.headers.get("Location", ""))
        except TimeoutError as error:
            raise FetchError("the server did not answer in time") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = printable(str(error))[:200] or type(error).__name__
            raise FetchError(f"it cannot be fetched ({why})") from error
        raise FetchError(f"it leads on more than {self.limits.redirects} times", lasting=True)

    def _checked(self, url: str) -> SplitResult:
        parts = urlsplit(url)
        if parts.scheme not in self._network.schemes or not parts.hostname:
            allowed = " or ".join(sorted(self._network.schemes))
            raise ForbiddenError(f"{printable(url)[:200]} is no URL of {allowed}")
        if parts.username is not None:
            raise ForbiddenError("a URL with a user name is not fetched")
        return parts

    @contextmanager
    def _response(self, parts: SplitResult, accept: str, watch: Watch) -> Iterator[http.client.HTTPResponse]:
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or _PORTS[parts.scheme]
        with self._connected(host, port, watch) as plain:
            plain.settimeout(watch.wait_s())
            inner = self._network.tls.wrap_socket(plain, server_hostname=host) if parts.scheme == "https" else plain
            with inner:
                connection = http.client.HTTPConnection(host, port)
                connection.sock = WatchedSocket(inner, watch)
                named = f"[{host}]" if ":" in host else host
                headers = {
                    "Host": named if port == _PORTS[parts.scheme] else f"{named}:{port}",
                    "User-Agent": self.user_agent,
                    "Accept": accept,
                    "Connection": "close",
                }
                path = quote(parts.path or "/", safe=_SAFE) + (
                    f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
                )
                connection.request("GET", path, headers=headers)
                yield connection.getresponse()

    def _connected(self, host: str, port: int, watch: Watch) -> socket.socket:
        """Connect to an address of the host that was checked, without resolving its name again."""
        found = self._network.resolve(host, port)
        allowed = [address for address in found if self._network.may_connect(address)]
        if not allowed:
            raise ForbiddenError(f"{printable(host)} is at no public address ({', '.join(found)})")
        refused: OSError | None = None
        for address in allowed:
            try:
                return socket.create_connection((address, port), timeout=watch.wait_s())
            except OSError as error:
                refused = error
        raise refused or OSError("no address")


def _body(response: http.client.HTTPResponse, most: int) -> Fetched:
    status = response.status
    if status in BUSY:
        raise BusyError(f"the server is busy (status {status})", retry_after_s(response.headers.get("Retry-After")))
    if status != http.client.OK:
        raise FetchError(f"the server answers with status {status}", lasting=400 <= status < 500)
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchError("the server compresses it, although it was not asked to", lasting=True)
    length = response.length  # None for a body of unknown length
    if length is not None and length > most:
        raise FetchError(f"it has {length:,} bytes, more than {most:,}", lasting=True)
    body = bytearray()
    while piece := response.read1(PIECE):
        body += piece
        if len(body) > most:
            raise FetchError(f"it has more than {most:,} bytes", lasting=True)
    if length is not None and len(body) < length:
        raise FetchError(f"it ended after {len(body):,} of {length:,} bytes")
    return Fetched(bytes(body), response.headers.get_content_type() if "Content-Type" in response.headers else "")

"""A stranger's URL leads to public addresses alone, and takes no more bytes, seconds and redirects than allowed."""

import itertools
import ssl
import subprocess
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from collect.errors import BusyError, FetchError, ForbiddenError
from collect.web.addresses import is_public
from collect.web.fetch import Fetcher, Network
from collect.web.retry_after import LONGEST_WAIT_S, MOST_WAITING_S, PAUSES_S, Pauses, patiently, retry_after_s
from collect.web.watch import Limits
from tests.collect.web import PRIVATE, PUBLIC, Answer, Handler, Server, fetcher, network, serving


def leading_to(url: str, status: int = 302) -> Answer:
    return lambda handler: handler.reply(b"", "text/html", status, {"Location": url})


def test_a_photo_is_fetched_whole_and_the_server_reads_who_asks(web: Server) -> None:
    web.routes["/a b.jpg"] = web.routes["/a%20b.jpg"] = lambda handler: handler.reply(b"photo")
    assert fetcher().photo(web.url("/a b.jpg?x=1")) == b"photo"
    path, headers = web.asked[0]
    assert path == "/a%20b.jpg?x=1"
    assert headers["Host"] == f"photos.test:{web.server_port}"
    assert headers["User-Agent"] == "phototriage (test)"
    assert headers["Accept-Encoding"] == "identity"
    assert "Cookie" not in headers


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("100.100.100.200", "192.0.0.192", "168.63.129.16", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1"),
        *("::1", "::", "fe80::1%eth0", "fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("2002:7f00:1::", "64:ff9b::7f00:1", "2001::1", "2001:db8::1", "::7f00:1"),
    ],
)
def test_no_address_of_this_machine_its_network_or_its_cloud_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "198.35.26.96", "2620:0:863:ed1a::1", "::ffff:1.1.1.1"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://photos.test/a.jpg", "file:///etc/passwd", "ftp://photos.test/a", "https:///a", "//photos.test/a", ""),
        *("https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://[::1]/", "https://localhost/"),
        "https://me:secret@photos.test/a.jpg",
    ],
)
def test_the_product_fetches_public_https_alone(url: str) -> None:
    with pytest.raises(ForbiddenError):
        Fetcher("phototriage").photo(url)


@pytest.mark.parametrize("url", ["https://[::1/", "https://photos.test:99999/", "https://" + "a" * 70 + ".test/"])
def test_an_address_that_is_none_is_a_failed_fetch(url: str) -> None:
    with pytest.raises(FetchError):
        Fetcher("phototriage").photo(url)


def test_a_redirect_to_a_private_address_is_not_followed(web: Server, inside: Server) -> None:
    web.routes["/a"] = leading_to(inside.url("/secret", PRIVATE))
    web.routes["/b"] = leading_to("file:///etc/passwd")
    on = network(lambda host, port: [host if host == PRIVATE else PUBLIC])
    for path in ("/a", "/b"):
        with pytest.raises(ForbiddenError):
            fetcher(on=on).photo(web.url(path))
    assert inside.asked == []


def test_a_name_whose_address_changes_gains_nothing(web: Server, inside: Server) -> None:
    """The name is resolved once a request, and connected to what was checked: no system resolver knows photos.test."""
    web.routes["/a"] = lambda handler: handler.reply(b"photo")
    web.routes["/b"] = leading_to("/secret")
    answers = itertools.chain([[PUBLIC], [PUBLIC]], itertools.repeat([PRIVATE]))
    on = network(lambda host, port: next(answers))
    assert fetcher(on=on).photo(web.url("/a")) == b"photo"
    with pytest.raises(ForbiddenError):
        fetcher(on=on).photo(web.url("/b"))
    assert inside.asked == []


def test_of_several_addresses_only_public_ones_are_connected_to(web: Server, inside: Server) -> None:
    web.routes["/a"] = lambda handler: handler.reply(b"photo")
    both = network(lambda host, port: [PRIVATE, PUBLIC])
    assert fetcher(on=both).photo(web.url("/a")) == b"photo"
    with pytest.raises(FetchError):  # only the private address would answer at this port
        fetcher(on=both).photo(inside.url("/secret"))
    assert inside.asked == []


def test_redirects_are_followed_five_times(web: Server) -> None:
    web.routes["/6"] = lambda handler: handler.reply(b"photo")
    for step in range(6):
        web.routes[f"/{step}"] = leading_to(f"/{step + 1}", 301 + step % 3)
    assert fetcher().photo(web.url("/1")) == b"photo"
    with pytest.raises(FetchError, match="more than 5 times") as caught:
        fetcher().photo(web.url("/0"))
    assert caught.value.lasting


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "image/jpeg")
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 4096)


def silent(handler: Handler) -> None:
    handler.server.over.wait()


def half(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"x" * 500)


def torn(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc")


def endless_line(handler: Handler) -> None:
    while True:
        handler.wfile.write(b"x" * 4096)


LIMITS = Limits(photo_bytes=10_000, stall_s=0.2)


@pytest.mark.parametrize(
    ("answer", "why", "lasting"),
    [
        (endless, "more than 10,000 bytes", True),
        (lambda handler: handler.reply(b"x" * 20_000), "20,000 bytes, more than", True),
        (silent, "did not answer in time", False),
        (half, "ended after 500 of 1,000 bytes", False),
        (torn, "cannot be fetched", False),
        (endless_line, "cannot be fetched", False),
        (lambda handler: handler.reply(b"<html>", "text/html; charset=utf-8"), "no picture, but text/html", True),
        (lambda handler: handler.reply(b"x", headers={"Content-Encoding": "gzip"}), "compresses", True),
        (lambda handler: handler.reply(b"", status=404), "status 404", True),
        (lambda handler: handler.reply(b"", status=500), "status 500", False),
        (lambda handler: handler.reply(b"", status=302), "leads on more than", True),
    ],
)
def test_a_body_that_is_endless_silent_torn_or_of_another_type_is_refused(
    web: Server, answer: Answer, why: str, lasting: bool
) -> None:
    web.routes["/a"] = answer
    with pytest.raises(FetchError, match=why) as caught:
        fetcher(LIMITS).photo(web.url("/a"))
    assert caught.value.lasting is lasting


def drop_by_drop(handler: Handler) -> None:
    """Send a body byte by byte; a reset connection ends it."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")


def headers_drop_by_drop(handler: Handler) -> None:
    while True:
        handler.wfile.write(b"X: y\r\n")


@pytest.mark.parametrize("answer", [drop_by_drop, headers_drop_by_drop])
def test_a_slow_download_ends_by_its_rate_and_any_by_its_time(web: Server, answer: Answer) -> None:
    """The clock goes further with each look: 11 s, and 30 s."""
    web.routes["/a"] = answer
    slow, long = (itertools.count(step=step_s) for step_s in (11, 30))
    with pytest.raises(FetchError, match="slower than"):
        fetcher(Limits(least_bytes_per_s=1e9), clock=lambda: next(slow)).photo(web.url("/a"))
    with pytest.raises(FetchError, match="longer than 60 s"):
        fetcher(Limits(least_bytes_per_s=0), clock=lambda: next(long)).photo(web.url("/a"))


def test_the_time_runs_on_over_redirects(web: Server) -> None:
    web.routes["/a"] = leading_to("/a")
    seconds = itertools.count(step=4)
    limits = Limits(least_bytes_per_s=0, redirects=1000)
    with pytest.raises(FetchError, match="longer than 60 s"):
        fetcher(limits, clock=lambda: next(seconds)).photo(web.url("/a"))


def test_a_busy_server_is_asked_again_when_it_says_and_not_for_ever(web: Server) -> None:
    answers = iter([("7", 429), (None, 503), ("0", 200)])

    def busy(handler: Handler) -> None:
        asked, status = next(answers, ("3", 429))
        handler.reply(b"photo", status=status, headers={"Retry-After": asked} if asked else {})

    web.routes["/a"] = busy
    waited: list[float] = []
    pauses = Pauses(waited.append)
    assert patiently(lambda: fetcher().photo(web.url("/a")), pauses) == b"photo"
    assert waited == [7, PAUSES_S[1]]
    with pytest.raises(BusyError):
        patiently(lambda: fetcher().photo(web.url("/a")), pauses)
    assert waited[2:] == [3, 3]


def test_a_server_that_asks_for_an_hour_is_not_waited_for(web: Server) -> None:
    web.routes["/a"] = lambda handler: handler.reply(b"", status=429, headers={"Retry-After": "3600"})
    waited: list[float] = []
    pauses = Pauses(waited.append)
    with pytest.raises(BusyError) as caught:
        patiently(lambda: fetcher().photo(web.url("/a")), pauses)
    assert (caught.value.wait_s, waited) == (3600, [])


def test_hosts_that_ask_for_pauses_again_and_again_are_waited_for_ten_minutes_together() -> None:
    waited: list[float] = []
    pauses = Pauses(waited.append)
    assert [pauses.take(100) for _ in range(8)] == [True] * 6 + [False] * 2
    assert sum(waited) == MOST_WAITING_S


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after_s("12") == 12
    assert (retry_after_s(formatdate(time.time() + 1000, usegmt=True)) or 0) > LONGEST_WAIT_S
    assert retry_after_s(formatdate(0, usegmt=True)) == 0
    assert [retry_after_s(text) for text in (None, "", "soon", "-5", "9" * 40)] == [None] * 5


@pytest.fixture
def certificate(tmp_path: Path, require: Callable[[str], str]) -> Path:
    """Key and certificate of photos.test."""
    file, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout {key} -out {file}"
    more = ["-subj", "/CN=photos.test", "-addext", "subjectAltName=DNS:photos.test"]
    subprocess.run([require("openssl"), *words.split(), *more], check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + key.read_bytes())
    return file


def test_over_tls_the_name_is_proven_although_the_connection_goes_to_the_checked_address(certificate: Path) -> None:
    named: list[str | None] = []
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(certificate)
    server_side.sni_callback = lambda _, name, __: named.append(name)
    on = Network(
        may_connect=lambda address: address == PUBLIC,
        resolve=lambda host, port: [PUBLIC],
        tls=ssl.create_default_context(cafile=str(certificate)),
    )
    with serving(tls=server_side) as server:
        server.routes["/a"] = lambda handler: handler.reply(b"photo")
        assert fetcher(on=on).photo(server.url("/a", scheme="https")) == b"photo"
        assert named == ["photos.test"]
        with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
            fetcher(on=on).photo(server.url("/a", host="other.test", scheme="https"))
    assert len(server.asked) == 1

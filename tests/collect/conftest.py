"""Servers on loopback."""

from collections.abc import Iterator

import pytest

from tests.collect.web import PRIVATE, Server, serving


@pytest.fixture
def web() -> Iterator[Server]:
    """A server at the public address."""
    with serving() as server:
        yield server


@pytest.fixture
def inside() -> Iterator[Server]:
    """A server at an address that no stranger's URL may lead to."""
    with serving(PRIVATE) as server:
        server.routes["/secret"] = lambda handler: handler.reply(b"secret")
        yield server

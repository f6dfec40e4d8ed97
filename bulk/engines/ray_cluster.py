"""Joins a Ray cluster that is there. None is started, because Ray's workers listen on all interfaces."""

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import ray

from bulk.errors import BulkError

REACH_S = 5.0
"""Ray itself waits for minutes where nothing listens."""
HOW_TO_START = (
    "Start one on this machine: RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 ray start --head --port=6379"
    " --include-dashboard=false, after `ray get-auth-token --generate`, and only in a network that you trust: Ray's"
    " workers listen on all interfaces. It prints the address (docs/bulk.md)"
)


@contextmanager
def joined(address: str) -> Iterator[None]:
    """Be a driver of the cluster at an address; this machine must be one of its nodes.

    Args:
        address: HOST:PORT, as `ray start --head` prints it.

    Raises:
        BulkError: it cannot be joined.
    """
    _reach(address)
    with redirect_stdout(sys.stderr):  # there Ray prints what happens to nodes, among the lines of --json
        yield from _driven(address)


def _driven(address: str) -> Iterator[None]:
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else its C++ part writes to the terminal
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise BulkError(
            f"The Ray cluster at {address} cannot be joined: {one_line(error)}. Give the command on a node of it, with"
            " the token that its nodes have."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def one_line(error: BaseException) -> str:
    """Return what an error of Ray says, without its trace."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")


def _reach(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise BulkError(f"{address} is no address of a Ray cluster. Pass HOST:PORT, as `ray start --head` prints it.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_S).close()
    except (OSError, OverflowError) as error:
        raise BulkError(f"No Ray cluster answers at {address}: {error}. {HOW_TO_START}.") from error

"""A machine for the tests of one file, and services in it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.service.machine import Machine, machine
from tests.daemon.support import ROOT


@pytest.fixture(scope="module")
def booted() -> Iterator[Machine]:
    """Boot a machine that sees the house and the Python that runs it."""
    with machine(ROOT, Path(sys.prefix), Path(sys.base_prefix)) as inside:
        inside.run("chmod", "o+x", "/root")  # where this machine's Python may lie
        yield inside


@pytest.fixture
def alice(booted: Machine, request: pytest.FixtureRequest) -> Iterator[str]:
    """Make a user for one test, with a folder /srv/NAME that holds an inbox; her services go with her."""
    name = f"alice{os.urandom(3).hex()}"
    booted.user(name)
    for folder in (f"/srv/{name}", f"/srv/{name}/inbox"):
        booted.run("install", "-d", "-o", name, "-g", name, folder)
    yield name
    if request.node.stash.get(FAILED, False):
        print(booted.journal(f"phototriage@{name}.service"))  # noqa: T201
    booted.phototriage("service", "uninstall", name, "--yes", "--purge-state", check=False)


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember of a test that it failed, for what its fixtures then say of it."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed  # type: ignore[attr-defined]
    return report

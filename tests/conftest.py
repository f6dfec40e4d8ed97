"""What every test stands on: real photos when they are there, a home that is not the user's, and no leaks."""

import atexit
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
SYSTEM_TESTS = os.environ.get("PHOTOTRIAGE_SYSTEM_TESTS") == "1"

# Read when the libraries are imported, which happens at collection: too early for a fixture. The home that Keras
# would write its settings to is never the user's.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # for tests that import onnxruntime themselves
if SHARED.exists():
    os.environ["KERAS_HOME"] = str(SHARED / "keras")
else:
    os.environ["KERAS_HOME"] = tempfile.mkdtemp(prefix="phototriage-keras-")
    atexit.register(shutil.rmtree, os.environ["KERAS_HOME"], ignore_errors=True)


# A runner that starts the tests in the background lets them ignore Ctrl-C, and every process that they start with them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real photos and initial weights beside the clone; without them the test is skipped, with them it must run."""
    if not SHARED.exists():
        pytest.skip("no real photos: ../shared is not there beside the clone")
    return SHARED


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary home and XDG folders, and none of the settings that the caller's shell or service holds."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    for name in ("STATE", "CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
    for name in list(os.environ):
        if name.startswith("PHOTOTRIAGE_") and name != "PHOTOTRIAGE_SYSTEM_TESTS":
            monkeypatch.delenv(name)
    for name in ("STATE_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    """Fail a test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(timeout=5)
    alive = [thread.name for thread in left if thread.is_alive()]
    if alive:
        pytest.fail(f"the test left threads behind: {', '.join(alive)}")


def require(tool: str) -> str:
    """Path of a system tool; a missing one skips, but fails where system tests are asked for."""
    path = shutil.which(tool)
    if path is not None:
        return path
    sentence = f"{tool} is not installed"
    if SYSTEM_TESTS:
        pytest.fail(f"{sentence}, and PHOTOTRIAGE_SYSTEM_TESTS=1 asks for every tool")
    pytest.skip(sentence)


@pytest.fixture(scope="session", name="require")
def require_fixture() -> Callable[[str], str]:
    """Return `require`, for a test that needs a system tool but changes nothing of the machine."""
    return require


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Hold back what mounts, boots, fills or floods, unless it is asked for; then nothing may be missing."""
    marker = item.get_closest_marker("system")
    if marker is None:
        return
    if not SYSTEM_TESTS:
        pytest.skip("a system test: runs only with PHOTOTRIAGE_SYSTEM_TESTS=1")
    for tool in marker.args:
        require(tool)
    if marker.kwargs.get("root", False) and os.geteuid() != 0:
        pytest.fail("this system test needs root: run .ci/run as root, or leave PHOTOTRIAGE_SYSTEM_TESTS unset")

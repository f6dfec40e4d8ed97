"""The kernel's notices: where it grants none, nothing is left open however often they are asked for."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.intake.inotify import IN_CLOSE_WRITE, IN_CREATE, IN_IGNORED, IN_ISDIR, Inotify
from tests.daemon.support import DEADLINE_S, descriptors, environment, write

SOAK = """
import os
from pathlib import Path
from daemon.intake.intake import Intake
from daemon.intake.scanner import REWATCH_S
from daemon.intake.filters import PathFilter
from tests.daemon.support import HandClock, descriptors

limit = Path("/proc/sys/user/{limit}")
limit.write_text("0")
inbox, clock = Path({inbox!r}), HandClock()
one = Intake(PathFilter(inbox), clock, lambda sentence, *_: print(sentence), watch=True)
before = descriptors()
for number in range(300):
    one.ready(9, 0.0)
    clock.turn(REWATCH_S)
assert one._scanner.scans == 300, one._scanner.scans
assert descriptors() == before, sorted(os.listdir("/proc/self/fd"))
limit.write_text("100")
one.ready(9, 0.0)
assert one._scanner._watcher.is_well()
(inbox.parent / "new.jpg").rename(inbox / "new.jpg")
(photo,) = one.ready(9, 60.0)
assert photo.found.announced
one.close()
assert descriptors() == before
"""


@pytest.mark.parametrize("limit", ["max_inotify_watches", "max_inotify_instances"])
def test_hundreds_of_scans_without_a_watch_leave_no_file_open_and_it_watches_when_it_may(
    tmp_path: Path, limit: str
) -> None:
    """In a user namespace of its own, whose limit is lowered: it is that of this process alone."""
    (tmp_path / "inbox").mkdir()
    write(tmp_path / "new.jpg", b"x")
    script = SOAK.format(limit=limit, inbox=str(tmp_path / "inbox"))
    words = ["unshare", "--user", "--map-root-user", sys.executable, "-c", script]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=DEADLINE_S)
    if "unshare failed" in done.stderr or "Permission" in done.stderr or "Read-only" in done.stderr:
        pytest.skip(f"no user namespace with limits of its own: {done.stderr[-100:]}")
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert "the kernel's limit of inotify watches is reached" in first
    assert second == "the inbox is watched again"


def test_an_instance_that_is_had_by_half_is_given_back() -> None:
    before, limits = descriptors(), resource.getrlimit(resource.RLIMIT_NOFILE)
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(40)]
    highest = files.pop()
    os.close(highest)  # the one free number below the limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    try:
        for _ in range(3):  # a second time only if the first gave its file back
            with pytest.raises(OSError, match="Too many open files") as raised:
                Inotify()
            assert raised.value.errno == errno.EMFILE
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for file in files:
            os.close(file)
    assert descriptors() == before


def test_events_come_whole_and_in_order_until_it_is_woken(tmp_path: Path) -> None:
    names = [letter * length for letter, length in zip("abcdef", (1, 15, 16, 17, 200, 255), strict=True)]
    kernel = Inotify()
    try:
        watch = kernel.add(tmp_path, IN_CLOSE_WRITE | IN_CREATE)
        assert not kernel.wait_for_event(0.0)
        for name in names:
            write(tmp_path / name, b"x")
        (tmp_path / "folder").mkdir()
        assert kernel.add(tmp_path, IN_CLOSE_WRITE) == watch
        kernel.remove(watch)
        assert kernel.wait_for_event(0.0)
        got = []
        for event in kernel.events():
            assert event.watch == watch
            got.append((event.mask, event.name.decode()))
            if event.mask == IN_IGNORED:
                kernel.wake()
    finally:
        kernel.close()
    wanted = [(mask, name) for name in names for mask in (IN_CREATE, IN_CLOSE_WRITE)]
    assert got == [*wanted, (IN_CREATE | IN_ISDIR, "folder"), (IN_IGNORED, "")]

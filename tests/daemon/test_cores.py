"""The threads that read are as many as the cores that may be used, whatever limits them."""

import os
import subprocess
import sys
from math import ceil
from pathlib import Path

import pytest

from daemon.process.cores import usable_cores
from tests.daemon.support import environment

MINE = len(os.sched_getaffinity(0))
V2 = "29 23 0:26 {root} {place} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1 = "33 31 0:30 {root} {place} rw - cgroup cgroup rw,cpu,cpuacct"
OTHER = "36 31 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"


def cores(folder: Path, cgroup: str, mount: str, limits: dict[str, str], root: str = "/") -> int:
    """Count by a made-up process whose control groups lie below `folder`."""
    place, process = folder / "cgroup", folder / "process"
    for path in (place, process):
        path.mkdir(exist_ok=True)
    for name, text in limits.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    (process / "cgroup").write_text(cgroup)
    (process / "mountinfo").write_text(f"{OTHER}\n{mount.format(root=root, place=place)}\nno mount\n")
    return usable_cores(process)


def limited(most: float) -> int:
    return max(1, min(MINE, ceil(most)))


@pytest.mark.parametrize(
    ("group", "limits", "most"),
    [
        pytest.param("/", {"cpu.max": "50000 100000\n"}, 0.5, id="half a core is one"),
        pytest.param("/", {"cpu.max": "150000 100000\n"}, 1.5, id="one and a half are two"),
        pytest.param("/a/b", {"a/b/cpu.max": "max 100000\n"}, 1e9, id="no limit"),
        pytest.param(
            "/a/b", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "100000 100000\n"}, 1.0, id="a slice above it"
        ),
        pytest.param("/a", {"a/cpu.max": "100000 100000\n", "cpu.max": "800000 100000"}, 1.0, id="the tightest counts"),
        pytest.param("/a", {"a/b/cpu.max": "10000 100000\n"}, 1e9, id="a group below is not its own"),
        pytest.param("/../x", {"cpu.max": "100000 100000\n"}, 1.0, id="moved out of what it can see"),
        pytest.param("/a", {"a/cpu.max": "what 7\n", "cpu.max": "1 0\n"}, 1e9, id="nonsense is no limit"),
    ],
)
def test_the_quota_of_each_group_of_version_2_counts(
    tmp_path: Path, group: str, limits: dict[str, str], most: float
) -> None:
    assert cores(tmp_path, f"0::{group}\n", V2, limits) == limited(most)


@pytest.mark.parametrize(
    ("root", "group", "folder"),
    [("/", "/a", "a/"), ("/docker/1", "/docker/1", ""), ("/docker/1", "/docker/1/a", "a/"), ("/else", "/docker/1", "")],
)
@pytest.mark.parametrize(("quota", "most"), [("-1", 1e9), ("70000", 0.7), ("200000", 2.0)])
def test_so_does_the_quota_of_version_1_seen_from_a_container_or_not(
    tmp_path: Path, root: str, group: str, folder: str, quota: str, most: float
) -> None:
    limits = {f"{folder}cpu.cfs_quota_us": f"{quota}\n", f"{folder}cpu.cfs_period_us": "100000\n"}
    cgroup = f"5:memory:/m\n3:cpu,cpuacct:{group}\n0::/\n"
    assert cores(tmp_path, cgroup, V1, limits, root) == limited(most)


def test_without_control_groups_the_affinity_alone_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == MINE


@pytest.mark.system("taskset")
def test_a_real_control_group_and_a_real_affinity_limit_a_real_process(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "from daemon.process.cores import usable_cores; print(usable_cores())"]

    def counted(*before: str) -> int:
        return int(subprocess.run([*before, *words], check=True, capture_output=True, env=environment()).stdout)

    assert counted("taskset", "-c", str(min(os.sched_getaffinity(0)))) == 1
    if MINE < 2:
        pytest.skip("one core cannot be limited further")
    group = next((path for path in (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")) if _can_limit(path)), None)
    if group is None:
        pytest.skip("no control group can be made here")
    inner = group / f"phototriage-{os.getpid()}"
    inner.mkdir()
    try:
        for name, text in (("cpu.max", "60000 100000"), ("cpu.cfs_quota_us", "60000")):
            if (inner / name).exists():
                (inner / name).write_text(text)
        assert counted("sh", "-c", f'echo $$ > {inner}/cgroup.procs && exec "$@"', "_") == 1
    finally:
        inner.rmdir()


def _can_limit(group: Path) -> bool:
    if (group / "cpu.cfs_quota_us").exists():
        return os.access(group, os.W_OK)
    control = group / "cgroup.subtree_control"
    return control.exists() and "cpu" in control.read_text().split() and os.access(group, os.W_OK)

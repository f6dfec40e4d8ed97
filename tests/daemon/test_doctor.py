"""The doctor finds what is really wrong, says how to mend it, leaves nothing behind, and hangs on nothing."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from daemon.doctor.boxed import BoxedCheck, look
from daemon.doctor.finding import Finding, Level
from daemon.doctor.gpu import LIBRARIES, look_at_gpu
from daemon.doctor.machine import inotify_in_use, look_at_machine
from daemon.doctor.packages import look_at_packages, look_at_python
from daemon.doctor.probe import look_at_folders
from daemon.doctor.unit import Unit, look_at_sandbox, look_at_unit
from tests.daemon.conftest import Stranger
from tests.daemon.house import House, ask
from tests.daemon.support import (
    DEADLINE_S,
    command,
    daemon,
    environment,
    intent,
    model_file,
    opened_ledger,
    plain,
    write,
)


def told(*words: str | Path, code: int = 0) -> list[dict[str, Any]]:
    result = ask("doctor", "--json", *words)
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def levels(found: list[dict[str, Any]], about: str) -> list[str]:
    return [finding["level"] for finding in found if finding["about"] == about]


def worst(found: "list[Finding]") -> Level:
    return max((finding.level for finding in found), key=list(Level).index)


def files(folder: Path) -> set[str]:
    return {os.fspath(path) for path in folder.rglob("*")}


def test_a_house_in_order_has_no_fault_and_is_left_as_it_was(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    house.file("a.jpg")
    before = files(tmp_path)
    found = told("--model", model_file(tmp_path))
    assert files(tmp_path) == before | {str(tmp_path / "colours.onnx")}
    assert {f"{house.inbox} -> {house.output}", "machine", "model"} == {finding["chapter"] for finding in found}
    for about in ("inbox", "output", "rename", "ledger", "provider"):
        assert set(levels(found, about)) == {"ok"}
    assert all(finding["cure"] for finding in found if finding["level"] != "ok")


def test_it_says_in_words_what_it_says_in_json_and_counts(tmp_path: Path) -> None:
    result = ask("doctor", "--model", model_file(tmp_path))
    assert result.exit_code == 0
    assert "  ok       provider: a batch of 8 ran on the CPU" in result.stdout
    assert "No inbox is known here yet" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("0 faults, ")


def test_folders_on_two_file_systems_are_a_warning(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "in").mkdir()
    found = told("--inbox", tmp_path / "in", "--output", elsewhere, "--model", model_file(tmp_path))
    assert levels(found, "rename") == ["warning"]
    assert not list(elsewhere.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put there what is somebody else's")
def test_links_in_the_output_into_which_nothing_is_filed_are_named(tmp_path: Path) -> None:
    """Under PrivateUsers=yes the service cannot tell who made a link unless root or its own user did."""
    inbox, output = tmp_path / "in", tmp_path / "out"
    for folder in (inbox, output, tmp_path / "elsewhere"):
        folder.mkdir()
    os.chown(output, 12345, 12345)
    for name, owner in (("root's", 0), ("owner's", 12345), ("stranger's", 12346)):
        (output / name).symlink_to(tmp_path / "elsewhere")
        os.lchown(output / name, owner, owner)
    for trusted, refused in ((None, {"stranger's"}), ([0, 4000], {"owner's", "stranger's"})):
        found = [one for one in look_at_folders(inbox, output, "move", trusted) if one.about == "links"]
        assert {
            name for name in ("root's", "owner's", "stranger's") if any(name in one.says for one in found)
        } == refused
        assert all(one.level == "warning" and "chown -h root" in one.cure for one in found)


def test_folders_that_are_missing_or_shut_are_faults(tmp_path: Path, stranger: Stranger) -> None:
    shut = stranger.folder / "shut"
    shut.mkdir()
    shut.chmod(0o555)
    done = stranger.phototriage("doctor", "--json", "--inbox", shut, "--output", stranger.folder / "none" / "out")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert "fault" in levels(found, "inbox")
    assert levels(found, "output") == ["fault"]
    assert not levels(found, "rename")


def test_a_name_with_a_terminal_command_is_not_printed_raw(tmp_path: Path) -> None:
    (tmp_path / "in\x1b[31m").mkdir()
    result = ask(
        "doctor", "--inbox", tmp_path / "in\x1b[31m", "--output", tmp_path / "o\x07", "--model", model_file(tmp_path)
    )
    assert "\x1b[31m" not in result.stdout
    assert "\x07" not in result.stdout
    assert "in\\x1b[31m" in result.stdout


def test_a_name_cannot_run_anything_in_a_cure_that_is_copied(tmp_path: Path) -> None:
    found = told("--inbox", tmp_path / "$(reboot);x", "--output", tmp_path, "--model", model_file(tmp_path), code=1)
    (cure,) = [finding["cure"] for finding in found if finding["about"] == "inbox"]
    assert cure == f"mkdir -p '{tmp_path}/$(reboot);x'"


def test_before_the_first_start_it_says_where_the_ledger_will_be(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    found = told("--inbox", tmp_path / "in", "--output", tmp_path / "out", "--model", model_file(tmp_path))
    (ledger,) = [finding for finding in found if finding["about"] == "ledger"]
    assert ledger["level"] == "ok"
    assert "none yet" in ledger["says"]


def test_a_daemon_at_work_is_named_and_not_disturbed(tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    words = ("--inbox", inbox, "--output", output)
    with daemon(*words, "--model", model_file(tmp_path)) as process:
        process.ready()
        found = told(*words, "--model", model_file(tmp_path))
        assert f"process {process.process.pid} uses this inbox" in [finding["says"] for finding in found]
        write(inbox / "a.jpg", plain("red"))
        process.photos({"a.jpg"})
        assert process.stop() == 0
    assert all(event.get("path", "").endswith("a.jpg") for event in process.events if event["event"] == "photo")


def test_a_damaged_ledger_is_a_fault_and_an_open_intent_a_warning(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    photo = write(house.inbox / "a.jpg", plain("red"))
    with opened_ledger(house.path) as ledger:
        ledger.intend([intent(photo, house.output / "red" / "a.jpg")], 1.0)
    words = ("--inbox", house.inbox, "--output", house.output, "--model", model_file(tmp_path))
    assert levels(told(*words), "ledger") == ["ok", "warning"]
    data = bytearray(house.path.read_bytes())
    data[4096:8192] = os.urandom(4096)
    house.path.write_bytes(data)
    assert "fault" in levels(told(*words, code=1), "ledger")


def test_a_model_that_breaks_its_contract_is_a_fault_and_so_is_cuda_without_a_gpu(tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.onnx", b"nothing")
    assert levels(told("--model", bad, code=1), "model") == ["fault"]
    if not Path("/proc/driver/nvidia/version").exists():
        found = told("--device", "cuda", "--model", model_file(tmp_path), code=1)
        assert levels(found, "gpu") == levels(found, "model") == ["fault"]


def test_a_configuration_is_read_as_watch_reads_it(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    config = write(tmp_path / "c.toml", f'inbox = "{tmp_path}/in"\noutput = "{tmp_path}/out"\nmode = "copy"\n'.encode())
    found = told("--config", config)
    assert not levels(found, "rename")  # nothing is moved
    write(config, b'inbox = "/in"\nwrong = 1\n')
    result = ask("doctor", "--config", config)
    assert result.exit_code == 1
    assert "unknown key 'wrong'" in result.output


@pytest.mark.parametrize("words", [("--inbox", "x"), ("--inbox", "x", "--output", "y", "--service", "z"), ("--wrong",)])
def test_wrong_usage_exits_with_2(words: tuple[str, ...]) -> None:
    assert ask("doctor", *words).exit_code == 2


def test_what_hangs_is_said_in_time_and_not_waited_for() -> None:
    began_s = time.monotonic()
    (finding,) = look(
        BoxedCheck("folders", {}, limit_s=0.3, inside=(sys.executable, "-c", "import time; time.sleep(600)"))
    )
    assert time.monotonic() - began_s < DEADLINE_S
    assert finding.level is Level.FAULT
    assert "no answer" in finding.says


DEAD = """
import ctypes, os, subprocess, sys
server = os.open("/dev/fuse", os.O_RDWR)  # and nobody ever reads from it
options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
if ctypes.CDLL(None, use_errno=True).mount(b"dead", sys.argv[1].encode(), b"fuse", 0, options):
    sys.exit(77)
done = subprocess.run(sys.argv[2:], timeout=50)
os._exit(done.returncode)
"""


@pytest.mark.system("unshare", root=True)
def test_a_mount_whose_server_is_dead_is_a_fault_within_seconds(tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    output.mkdir()
    words = command("doctor", "--json", "--inbox", inbox, "--output", output, "--model", model_file(tmp_path))
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", DEAD, str(inbox), *words],
        capture_output=True, text=True, timeout=DEADLINE_S, env=environment(),
    )  # fmt: skip
    if done.returncode == 77 or "/dev/fuse" in done.stderr:
        pytest.skip("this kernel mounts no FUSE")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1, done.stderr
    assert "no answer within 5 s" in next(finding["says"] for finding in found if finding["about"] == "folders")
    assert levels(found, "provider") == ["ok"]


LAYERS = """
import fcntl, os, subprocess, sys
from pathlib import Path
from daemon.doctor.probe import _look_at_daemon
from daemon.intake.walk import MARKER
folder = Path(sys.argv[1])
for name in ("below", "above", "inbox"):
    (folder / name).mkdir()
(folder / "below" / MARKER).touch()
subprocess.run(["mount", "-t", "tmpfs", "none", folder / "above"], check=True)
for name in ("files", "work"):
    (folder / "above" / name).mkdir()
layers = f"lowerdir={folder}/below,upperdir={folder}/above/files,workdir={folder}/above/work"
if subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, folder / "inbox"]).returncode:
    sys.exit(77)
marker = open(folder / "inbox" / MARKER, "rb")
print(_look_at_daemon(folder / "inbox").says)
fcntl.flock(marker, fcntl.LOCK_EX)
print(_look_at_daemon(folder / "inbox").says.replace(str(os.getpid()), "I"))
"""


@pytest.mark.system("unshare", "mount", root=True)
def test_who_is_at_work_is_known_on_an_overlay_whose_files_have_made_up_numbers(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", LAYERS, str(tmp_path)],
        capture_output=True, text=True, timeout=DEADLINE_S, env=environment(),
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("this kernel mounts no overlay of these")
    assert done.stdout.splitlines() == ["no daemon uses this inbox now", "process I uses this inbox"], done.stderr


@pytest.mark.system("unshare", "mount", root=True)
def test_two_mounts_of_one_file_system_are_noticed_with_the_cure(tmp_path: Path) -> None:
    inbox, output = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    output.mkdir()
    words = command("doctor", "--json", "--inbox", inbox, "--output", output, "--model", model_file(tmp_path))
    script = f'mount --bind "{inbox}" "{inbox}" && mount --bind "{output}" "{output}" && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *words],
        capture_output=True, text=True, timeout=DEADLINE_S, env=environment(),
    )  # fmt: skip
    (rename,) = [line for line in map(json.loads, done.stdout.splitlines()) if line["about"] == "rename"]
    assert rename["level"] == "warning"
    assert rename["cure"] == f"name only their common parent: ReadWritePaths={tmp_path}"


def version(*names: str) -> "dict[str, str]":
    needed = ("click", "numpy", "pillow", "rich", "pi-heif")
    return dict.fromkeys((*needed, *names), "9.9")


@pytest.mark.parametrize(
    ("names", "word"),
    [
        (("onnxruntime", "onnxruntime-gpu"), "share files, so one is broken"),
        (("onnxruntime-gpu", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13"), "libcudnn"),
        (("onnxruntime", "python-daemon"), "python-daemon"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_packages_that_break_each_other_are_a_fault_with_the_command_that_mends(
    names: tuple[str, ...], word: str
) -> None:
    (fault,) = [finding for finding in look_at_packages(version(*names).get) if finding.level is Level.FAULT]
    assert word in fault.says
    assert fault.cure


def test_this_environment_is_in_order_and_an_older_python_is_not() -> None:
    assert worst(list(look_at_packages())) is not Level.FAULT
    assert look_at_python((3, 10)).level is Level.FAULT
    assert [look_at_python((3, minor)).level for minor in (11, 14, 15)] == [Level.OK, Level.OK, Level.WARNING]


def test_another_build_of_onnx_runtime_is_a_warning() -> None:
    (found,) = [one for one in look_at_packages(version().get) if one.about == "onnx runtime"]
    assert (found.level, "another build" in found.says) == (Level.WARNING, True)


@pytest.mark.parametrize(("name", "extra"), [("onnxruntime", "extra cpu, without CUDA"), ("onnxruntime-gpu", "cuda")])
def test_which_onnx_runtime_is_installed_is_said(name: str, extra: str) -> None:
    (found,) = [one for one in look_at_packages(version(name).get) if one.about == "onnx runtime"]
    assert found.level is Level.OK
    assert f"{name} 9.9 (" in found.says
    assert extra in found.says


def test_a_version_of_onnx_runtime_that_no_extra_asks_for_is_named_with_the_lock_that_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = [
        "click<9,>=8.5",
        "onnxruntime<2,>=1.31; extra == 'cpu'",
        "onnxruntime-gpu[cuda,cudnn]<2,>=1.31; extra == 'cuda'",
    ]
    monkeypatch.setattr("daemon.doctor.packages.metadata.requires", lambda name: asked)
    monkeypatch.setattr("daemon.doctor.packages.installed", lambda name: "1.27")
    for name, lock in (("onnxruntime", "run"), ("onnxruntime-gpu", "cuda")):
        held = dict.fromkeys(("numpy", "pillow", "rich", "pi-heif"), "9.9") | {"click": "8.5.1", name: "1.27"}
        (odd,) = [one for one in look_at_packages(held.get) if one.level is Level.WARNING]
        assert f"{name} 1.27 (1.31 or newer is needed, below 2)" in odd.says
        assert odd.cure.endswith(f"requirements/{lock}.txt")


def gpu_box(root: Path, driver: str = "590.48.01", *names: str) -> Path:
    for name in ("proc/driver/nvidia", "dev"):
        (root / name).mkdir(parents=True)
    text = f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {driver}  Mon Sep 1 2026\n"
    (root / "proc/driver/nvidia/version").write_text(text)
    for name in names or ("nvidia0", "nvidiactl", "nvidia-uvm"):
        (root / "dev" / name).touch()
    return root


def of_gpu(root: Path) -> dict[str, Level]:
    return {finding.about: finding.level for finding in look_at_gpu("auto", root)}


def test_a_gpu_box_is_looked_at_from_the_driver_to_the_libraries(tmp_path: Path) -> None:
    good = of_gpu(gpu_box(tmp_path / "1"))
    assert [good["driver"], good["devices"], good["nvidia-uvm"]] == [Level.OK] * 3
    assert of_gpu(gpu_box(tmp_path / "2", "550.54.14"))["driver"] is Level.FAULT
    assert of_gpu(gpu_box(tmp_path / "3", "580.1.2", "nvidia0"))["nvidia-uvm"] is Level.FAULT
    assert of_gpu(gpu_box(tmp_path / "4", "580.1.2", "nvidia-uvm"))["devices"] is Level.FAULT
    (found,) = [one for one in look_at_gpu("auto", tmp_path / "1", ["onnxruntime-gpu"]) if one.about == "cuda"]
    if found.level is Level.FAULT:  # where the tests have no CUDA: each library is named, and how to get them
        assert "libcudnn.so.9" in found.says
        assert "onnxruntime-gpu[cuda,cudnn]" in found.cure
    (found,) = [one for one in look_at_gpu("auto", tmp_path / "1", ["onnxruntime"]) if one.about == "cuda"]
    assert found.level is Level.FAULT
    assert "which has no CUDA" in found.says
    assert found.cure.index("uninstall --yes onnxruntime &&") < found.cure.index("install 'onnxruntime-gpu[cuda,cudnn]")


def test_the_libraries_looked_for_are_those_that_onnxruntime_loads() -> None:
    import onnxruntime

    text = Path(onnxruntime.__file__).read_text(encoding="utf-8")
    for name in LIBRARIES:
        assert Path(name).name.partition(".so")[0] in text


def test_a_card_without_its_driver_is_a_warning(tmp_path: Path) -> None:
    card = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    card.mkdir(parents=True)
    (card / "vendor").write_text("0x10de\n")
    assert of_gpu(tmp_path) == {"gpu": Level.WARNING}


def kernel(root: Path, watches: int, instances: int = 128, hardlinks: int = 1) -> Path:
    for name, value in (
        ("inotify/max_user_watches", watches), ("inotify/max_user_instances", instances),
        ("protected_hardlinks", hardlinks), ("protected_symlinks", 1),
    ):  # fmt: skip
        path = root / "sys/fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    (root / "meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n")
    return root


def test_low_limits_open_links_and_a_lost_clock_are_warnings(tmp_path: Path) -> None:
    now_s = time.time()
    good = {finding.about: finding.level for finding in look_at_machine(now_s, kernel(tmp_path / "1", 99_999))}
    assert good["inotify"] is good["links"] is good["memory"] is Level.OK
    assert good["clock"] is not Level.FAULT
    bad = list(look_at_machine(0.0, kernel(tmp_path / "2", 100, hardlinks=0)))
    assert {finding.about for finding in bad if finding.level is Level.WARNING} >= {"inotify", "links", "clock"}


def test_inotify_instances_and_watches_in_use_are_counted(tmp_path: Path) -> None:
    import ctypes

    before = inotify_in_use()
    libc = ctypes.CDLL(None)
    descriptor = libc.inotify_init()
    try:
        libc.inotify_add_watch(descriptor, os.fsencode(tmp_path), 2)
        after = inotify_in_use()
    finally:
        os.close(descriptor)
    assert after[0] > before[0] - 50  # other tests' processes come and go; this one's is among them
    assert after[1] >= 1


def test_two_writable_paths_of_a_unit_and_none_are_noticed_from_its_lines_alone() -> None:
    def found(paths: str) -> list[Finding]:
        unit = Unit("phototriage@x.service", {"ProtectSystem": "strict", "ReadWritePaths": paths})
        return list(look_at_sandbox(unit, Path("/srv/x/in"), Path("/srv/x/out")))

    assert worst(found("-/srv/x /var/lib/other")) is Level.OK
    assert worst(found("/srv/x/in /srv/x/out")) is Level.WARNING
    assert [finding.level for finding in found("/srv/y")] == [Level.FAULT] * 2


def test_a_service_is_told_as_systemd_tells_it() -> None:
    def found(**facts: str) -> list[Finding]:
        usual = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NRestarts": "0"}
        return list(look_at_unit(Unit("phototriage@x.service", usual | facts)))

    assert worst(found()) is Level.OK
    assert worst(found(NRestarts="7")) is worst(found(UnitFileState="disabled")) is Level.WARNING
    assert worst(found(ActiveState="failed")) is worst(found(LoadState="not-found")) is Level.FAULT
    assert worst(list(look_at_unit(Unit("phototriage@x.service")))) is Level.WARNING

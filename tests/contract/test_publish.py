"""A published file is the old one or the new one, whole; and nothing else is left."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from common.publish import publish_bytes


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["model.onnx", "a" * 255, "海" * 85, ".hidden"])
def test_new_content_stands_under_the_name_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    publish_bytes(path, b"first")
    publish_bytes(path, b"second")
    assert path.read_bytes() == b"second"
    assert names(tmp_path) == [name]


def test_a_reader_of_the_old_file_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    publish_bytes(path, b"old")
    with path.open("rb") as reader:
        publish_bytes(path, b"new, and longer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new, and longer"


def test_the_file_gets_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    publish_bytes(tmp_path / "published", b"x")
    assert (tmp_path / "published").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_is_replaced_and_what_it_led_to_is_kept(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"kept")
    (tmp_path / "link").symlink_to("real")
    publish_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "real").read_bytes() == b"kept"
    assert (tmp_path / "link").read_bytes() == b"new"


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one_and_no_rest(tmp_path: Path) -> None:
    """The kernel's limit on a file's size stands for a full disk: it holds for root too."""
    path = tmp_path / "model.onnx"
    publish_bytes(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, limits[1]))
        with pytest.raises(OSError, match="File too large"):
            publish_bytes(path, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["model.onnx"]


def test_a_name_that_is_a_folder_is_an_error_without_a_rest(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match=r"directory|Directory"):
        publish_bytes(tmp_path / "taken", b"x")
    assert names(tmp_path) == ["taken"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        publish_bytes(tmp_path / "missing" / "file", b"x")


def test_a_read_only_folder_is_an_error_and_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    publish_bytes(path, b"old")
    monkeypatch.chdir(tmp_path)  # root becomes nobody, who may not walk here but may stand here
    tmp_path.chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(PermissionError):
            publish_bytes(Path("model.onnx"), b"new")
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o700)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["model.onnx"]


def test_what_a_killed_process_left_is_neither_in_the_way_nor_seen_under_the_name(tmp_path: Path, root: Path) -> None:
    """The writer is stopped at its first fsync, as the kernel would see it, and never ends its work."""
    program = (
        "import os, sys; from pathlib import Path; import common.publish as publish\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), 9)\n"
        "publish.publish_bytes(Path(sys.argv[1]), b'half')\n"
    )
    path = tmp_path / "model.onnx"
    publish_bytes(path, b"old")
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=root)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    assert all(name.startswith(".") for name in names(tmp_path) if name != "model.onnx")
    publish_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_content_is_synced_before_the_rename_and_the_folder_after_it(
    tmp_path: Path, root: Path, require: Callable[[str], str]
) -> None:
    """Only the order of system calls shows this: whatever is killed, the page cache survives."""
    program = "import sys; from pathlib import Path; from common.publish import publish_bytes as publish\n"
    program += "publish(Path(sys.argv[1]), b'x')"
    trace = tmp_path / "trace"
    folder = tmp_path / "folder"
    folder.mkdir()
    tracer = [require("strace"), "-y", "-e", "trace=write,fsync,rename,renameat,renameat2", "-o", str(trace)]
    subprocess.run([*tracer, sys.executable, "-c", program, str(folder / "model.onnx")], cwd=root, check=True)
    lines = [line for line in trace.read_text().splitlines() if str(folder) in line]
    assert [line.split("(")[0].removesuffix("2").removesuffix("at") for line in lines] == [
        "write",
        "fsync",
        "rename",
        "fsync",
    ]
    assert ".part>" in lines[1]
    assert f"<{folder}>" in lines[3]

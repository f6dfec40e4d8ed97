"""Real file systems of a few mebibytes, and mounts that refuse what most file systems allow."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.daemon.support import wait_until


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[Path]:
    """Make a folder and mount something there; `words` are what `mount` takes before it."""
    folder.mkdir()
    subprocess.run(["mount", *words, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextmanager
def on_disk(folder: Path, kind: str, size_mib: int) -> Iterator[Path]:
    """Make a file system of a kind, such as ext4 or vfat, in a file beside the folder at which it is mounted."""
    image = folder.with_suffix(".image")
    with image.open("wb") as file:
        file.truncate(size_mib << 20)
    subprocess.run([f"mkfs.{kind}", *(("-q",) if kind == "ext4" else ()), str(image)], check=True, capture_output=True)
    with mounted(folder, "-o", "loop", str(image)) as ready:
        yield ready


@contextmanager
def bound(behind: Path, folder: Path, *options: str) -> Iterator[Path]:
    """Show a folder at another one by bindfs, which refuses or forgets what its options say."""
    folder.mkdir()
    process = subprocess.Popen(["bindfs", "-f", *options, str(behind), str(folder)])
    try:
        wait_until(folder.is_mount, "the mount")
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)
        process.wait()

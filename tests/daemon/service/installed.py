"""An inbox that is installed in a machine as a service, and photos that are dropped into it."""

from pathlib import Path

from tests.daemon.service.machine import Machine
from tests.daemon.support import unique, wait_until


class Service:
    """One installed inbox in a machine, as its owner uses it."""

    def __init__(self, machine: Machine, owner: str, folder: str, *more: str) -> None:
        self.machine, self.owner, self.folder = machine, owner, folder
        self.unit = f"phototriage@{owner}.service"
        self.words = ("--inbox", f"{folder}/inbox", "--output", f"{folder}/sorted", *more)
        self.said = machine.phototriage("service", "install", owner, *self.words, "--yes").stdout

    def drop(self, name: str, number: int, mode: int = 0o600) -> int:
        return drop(self.machine, self.owner, self.folder, name, number, mode)

    def filed(self, name: str) -> Path:
        return filed(self.machine, self.folder, name)


def drop(machine: Machine, owner: str, folder: str, name: str, number: int, mode: int = 0o600) -> int:
    """Move a photo into a folder's inbox, as its owner would, and return its inode."""
    beside, target = machine.inside(f"{folder}/{name}"), machine.inside(f"{folder}/inbox/{name}")
    beside.write_bytes(unique("red", number))
    beside.chmod(mode)
    machine.run("chown", f"{owner}:", f"{folder}/{name}")
    inode = beside.stat().st_ino
    beside.rename(target)
    return inode


def place_model(machine: Machine, folder: str, data: bytes) -> None:
    """Put a model in place by a rename, as everything that writes models does."""
    new = machine.inside(f"{folder}/.new")
    new.write_bytes(data)
    new.rename(new.with_name("serving.onnx"))


def filed(machine: Machine, folder: str, name: str) -> Path:
    """Wait until a photo is filed, whatever its class, and return where it is seen from here."""
    output = machine.inside(f"{folder}/sorted")
    wait_until(lambda: any(output.glob(f"*/{name}")), f"{name} in {output}")
    (path,) = output.glob(f"*/{name}")
    return path

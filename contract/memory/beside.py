"""The file of a memory: where it lies, and how it is read."""

import hashlib
import stat
from pathlib import Path

from common.errors import CompanionError
from common.text import printable
from contract.memory.facts import MemoryFacts
from contract.memory.memory import MAX_BYTES, Memory

SUFFIX = ".memory"
_CURE = "Copy both files again from where the model came from, or remove this one: the model serves without it."


def memory_path(model: Path) -> Path:
    """Where the memory of a model lies: `garden.memory` beside `garden.onnx`."""
    return model.with_suffix(SUFFIX)


def read_memory(model: Path, facts: MemoryFacts) -> Memory | None:
    """Read the memory of a model.

    Args:
        model: file of the model.
        facts: what its contract says about the memory.

    Returns:
        None if there is no such file.

    Raises:
        CompanionError: it cannot be read, or is damaged or that of another model.
    """
    data = read_memory_bytes(model, facts)
    if data is None:
        return None
    try:
        memory = Memory.from_bytes(data)
    except CompanionError as error:
        raise CompanionError(f"{printable(memory_path(model))} cannot be used: {error} {_CURE}") from error
    if memory.facts(facts.sha256) != facts:
        raise CompanionError(f"{printable(memory_path(model))} does not hold what the contract says. {_CURE}")
    return memory


def read_memory_bytes(model: Path, facts: MemoryFacts) -> bytes | None:
    """The bytes of the memory that the contract names; None if there is no such file.

    Raises:
        CompanionError: it cannot be read, or is damaged or that of another model.
    """
    path = memory_path(model)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe may never end
            raise CompanionError(f"{printable(path)} cannot be read (it is no file). {_CURE}")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CompanionError(f"{printable(path)} cannot be read ({error.strerror}). {_CURE}") from error
    if hashlib.sha256(data).hexdigest() != facts.sha256:
        raise CompanionError(
            f"{printable(path)} is damaged or belongs to another model: its SHA-256 is not the one that"
            f" {printable(model.name)} names. {_CURE}"
        )
    return data

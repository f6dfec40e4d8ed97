"""What `model use` and `model rollback` ask of a running daemon: a file in the model store, which the daemon takes.

models/wanted.json    the request; a newer one replaces it until the daemon takes it
models/trying.json    the same file while the daemon tries the model; a crash leaves it there
"""

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from common.errors import PhototriageError
from common.publish import publish_bytes
from common.text import printable


class ModelStoreError(PhototriageError):
    """The model store cannot be used, or cannot do what is asked."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model in the store.

    Attributes:
        file: its name in the store.
        sha256: of its bytes.
        root: SHA-256 of the model that it was learnt from; empty for one that `convert` made.
    """

    file: str
    sha256: str
    root: str = ""

    @classmethod
    def from_json(cls, model: dict[str, str]) -> Self:
        """Return the model that a file of the store names; one of an earlier version names no root."""
        return cls(model["file"], model["sha256"], model.get("root", ""))


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """What a daemon is asked for.

    Attributes:
        id: names the answer in the ledger; empty if no daemon is asked.
        model: to be used; None to go back to the model before.
    """

    id: str
    model: StoredModel | None


class RequestBox:
    """The one request that may wait for a daemon.

    Args:
        folder: of the model store.
    """

    def __init__(self, folder: Path) -> None:
        self._wanted, self._trying = folder / "wanted.json", folder / "trying.json"

    def ask(self, model: StoredModel | None) -> ChangeRequest:
        """Leave a request for a model, or for the way back; a request that was not taken yet is replaced."""
        request = ChangeRequest(secrets.token_hex(8), model)
        self._wanted.parent.mkdir(exist_ok=True)
        write_json(self._wanted, asdict(request))
        return request

    def is_waiting(self) -> bool:
        """Tell whether a request has not been taken yet."""
        return os.path.lexists(self._wanted)

    def take(self) -> ChangeRequest | None:
        """Take the waiting request, if there is one. Until `done`, it is what was tried when the process died."""
        with suppress(FileNotFoundError):
            self._wanted.rename(self._trying)
        return self.taken()

    def taken(self) -> ChangeRequest | None:
        """Return the request that was taken and is not done.

        Raises:
            ModelStoreError: its file cannot be read or is damaged.
        """
        trying = read_json(self._trying)
        if trying is None:
            return None
        model = trying.get("model")
        return ChangeRequest(str(trying["id"]), StoredModel.from_json(model) if model else None)

    def done(self) -> None:
        """Forget the request that was taken."""
        self._trying.unlink(missing_ok=True)

    def forget(self) -> None:
        """Forget what was asked of a daemon that no longer runs."""
        self._wanted.unlink(missing_ok=True)
        self.done()


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Replace a file of the model store in one rename."""
    publish_bytes(path, json.dumps(value).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """Return what a file of the model store holds; None if it is missing.

    Raises:
        ModelStoreError: it cannot be read or is damaged.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelStoreError(f"{printable(path)} cannot be read ({error.strerror}).") from error
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ModelStoreError(f"{printable(path)} is damaged. Remove it; then the model that --model names is used.")
    return value

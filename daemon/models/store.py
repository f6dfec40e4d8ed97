"""The models that `model use` put in place for one inbox, beside its ledger, and which of them is chosen.

    models/garden.3f2b9c1d2e4f.onnx   a model, named after its file and its content; never changed
    models/chosen.json                which serve: the last one; those before it are the way back
    models/wanted.json                what `model use` or `model rollback` asks a daemon at work for
    models/trying.json                the same while the daemon tries it

Each file appears by one rename. Only who holds the lock of the state folder changes `chosen.json`: the daemon at work,
else the command. What was chosen holds while --model names what it named then: the later wish wins.
"""

import json
import os
import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from common.errors import PhototriageError
from common.publish import publish_bytes, sync_directory
from common.text import printable
from contract.shipped import SHIPPED_MODEL
from daemon.files.identity import Identity

MODELS = "models"
"""Name of the store, beside the ledger."""
SHIPPED = "the shipped model"
"""What --model is called where it names the shipped model, whose path an update may change."""
KEPT = 5
"""Most models that are kept for the way back, the one that serves among them."""

YOUNG_S = 3600.0
"""Age up to which a model that nothing leads to may be one that somebody is about to ask for."""


class ModelStoreError(PhototriageError):
    """What is asked of the models in place cannot be done."""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model in place.

    Attributes:
        file: its name in the store.
        sha256: of its bytes.
    """

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """What a daemon is asked for.

    Attributes:
        id: names the answer in the ledger.
        model: to be used; None to go back to the one before.
    """

    id: str
    model: StoredModel | None


class FileState(NamedTuple):
    """Which file serves, and what it looks like now; None if nobody can look at it."""

    path: Path
    identity: Identity | None


def called(model: Path) -> str:
    """Return what --model names, so that it is known again: by its path, but for the shipped one."""
    return SHIPPED if model == SHIPPED_MODEL else str(model.absolute())


class ModelStore:
    """The models in place for one inbox.

    Args:
        state: the folder of its ledger.
        over: what --model names, as `called` says it; None where nobody knows.
    """

    def __init__(self, state: Path, over: str | None) -> None:
        self.folder = state / MODELS
        self.over = over
        self.configured = SHIPPED_MODEL if over in (SHIPPED, None) else Path(over or "")

    def path(self) -> Path:
        """Return the file of the model that is to serve."""
        stack = self.stack()
        return self.folder / stack[-1].file if stack else self.configured

    def looked(self) -> FileState:
        """Return that file, and what it looks like now."""
        path = self.path()
        try:
            return FileState(path, Identity.of(path.stat()))
        except OSError:
            return FileState(path, None)

    def stack(self) -> list[StoredModel]:
        """Return the models that were chosen over what --model names, the one that serves last."""
        chosen = self._read("chosen.json")
        if chosen is None or (self.over is not None and chosen.get("over") not in (self.over, None)):
            return []
        return [_kept(model) for model in chosen["models"]]

    def remark(self) -> str:
        """Say in brackets how the model that serves came to do so, where --model alone does not tell; else nothing."""
        if self.stack():
            return f" (put in place over {printable(self.configured.name)})"
        chosen = self._read("chosen.json")
        return f" ({chosen['models'][-1]['file']} was put in place over another --model)" if chosen else ""

    def pin(self) -> None:
        """Bind what was chosen before anybody knew what --model names to what it names now."""
        chosen = self._read("chosen.json")
        if chosen is not None and chosen.get("over") is None:
            self._write("chosen.json", chosen | {"over": self.over})

    def wanted(self) -> bool:
        """Tell whether a wish lies there."""
        return os.path.lexists(self.folder / "wanted.json")

    def begin(self) -> ChangeRequest | None:
        """Take the wish that lies there, if one does; until it is ended, it is what was tried when the process died."""
        with suppress(FileNotFoundError):
            (self.folder / "wanted.json").rename(self.folder / "trying.json")
        return self.tried()

    def tried(self) -> ChangeRequest | None:
        """Return the wish that was begun and not ended."""
        trying = self._read("trying.json")
        if trying is None:
            return None
        model = trying.get("model")
        return ChangeRequest(str(trying["id"]), _kept(model) if model else None)

    def target(self, wish: ChangeRequest | None) -> tuple[Path, str]:
        """Return the file that a wish means, and its SHA-256 where that is known; without a wish, that to serve.

        Raises:
            ShelfError: it wants to go back, and nothing was put in place.
        """
        stack = self._after(wish)
        return (self.folder / stack[-1].file, stack[-1].sha256) if stack else (self.configured, "")

    def grant(self, wish: ChangeRequest) -> None:
        """Let what a wish means serve from now on, and end it. By who holds the lock of the state folder alone."""
        stack = self._after(wish)[-KEPT:]
        if stack:
            self._write("chosen.json", {"over": self.over, "models": [asdict(model) for model in stack]})
        else:
            (self.folder / "chosen.json").unlink(missing_ok=True)
            sync_directory(self.folder)
        self.end()
        self._clear(stack)

    def end(self) -> None:
        """Drop the wish that was begun."""
        (self.folder / "trying.json").unlink(missing_ok=True)

    def put(self, name: str, data: bytes, sha256: str) -> StoredModel:
        """Put a model's bytes into the store, where they change nothing yet."""
        stem = "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in Path(name).stem)[:40] or "model"
        kept = StoredModel(f"{stem}.{sha256[:12]}.onnx", sha256)
        self.folder.mkdir(exist_ok=True)
        publish_bytes(self.folder / kept.file, data)
        return kept

    def wish(self, model: StoredModel | None) -> ChangeRequest:
        """Ask the daemon at work for a model, or for the way back; a wish that it has not seen yet is replaced."""
        wish = ChangeRequest(secrets.token_hex(8), model)
        self.folder.mkdir(exist_ok=True)
        self._write("wanted.json", asdict(wish))
        return wish

    def forget_wishes(self) -> None:
        """Drop what was asked of a daemon that is no longer there."""
        for name in ("wanted.json", "trying.json"):
            (self.folder / name).unlink(missing_ok=True)

    def _after(self, wish: ChangeRequest | None) -> list[StoredModel]:
        stack = self.stack()
        if wish is None:
            return stack
        if wish.model is not None:
            return [*(kept for kept in stack if kept != wish.model), wish.model]
        if not stack:
            raise ModelStoreError(
                f"There is nothing to go back to: {printable(self.configured.name)} serves because --model names it, "
                "and no model was put in place over it."
            )
        return stack[:-1]

    def _clear(self, stack: list[StoredModel]) -> None:
        """Remove what nothing leads back to and what a killed process left, but nothing that was just put there."""
        kept = {model.file for model in stack}
        for path in self.folder.iterdir():
            old = path.lstat().st_mtime < time.time() - YOUNG_S
            if old and path.name not in kept and path.suffix in (".onnx", ".part"):
                path.unlink(missing_ok=True)

    def _write(self, name: str, value: dict[str, Any]) -> None:
        publish_bytes(self.folder / name, json.dumps(value).encode())

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.folder / name
        try:
            value = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ModelStoreError(f"{printable(path)} cannot be read ({error.strerror}).") from error
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise ModelStoreError(f"{printable(path)} is damaged. Remove it; what --model names serves then.")
        return value


def _kept(model: dict[str, str]) -> StoredModel:
    return StoredModel(model["file"], model["sha256"])

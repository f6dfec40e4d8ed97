"""The models that `model use` copied beside one inbox's ledger, and which of them is chosen.

    models/garden.3f2b9c1d2e4f.onnx   a model, named after its file and its content; never changed
    models/garden.3f2b9c1d2e4f.memory its memory, if it has one (contract/memory)
    models/chosen.json                the chosen models: the last one is used, those before it are the way back

The model that a chosen one was learnt from stays too, because the next one is learnt from it again.

Each file appears by one rename. Only the holder of the state folder's lock changes `chosen.json`: the running daemon,
or the command if no daemon runs. A choice holds as long as --model names what it named then, so the later decision of
the user wins.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from common.publish import publish_files, sync_directory
from common.text import printable
from contract.memory import SUFFIX, memory_path
from contract.shipped import SHIPPED_MODEL
from daemon.files.identity import Identity
from daemon.models.request import (
    ChangeRequest,
    ModelStoreError,
    RequestBox,
    StoredModel,
    read_json,
    write_json,
)

MODELS = "models"
"""Name of the store, beside the ledger."""
SHIPPED = "the shipped model"
"""What --model is called if it names the shipped model, because an update may change the path of that."""
KEPT = 5
"""Most models that are kept for the way back, the one in use among them."""

YOUNG_S = 3600.0
"""An unused model may be younger than this because somebody has just copied it and is about to ask for it."""


class ModelFile(NamedTuple):
    """The file of a model, and what it looks like now; None if it cannot be looked at."""

    path: Path
    identity: Identity | None


def called(model: Path) -> str:
    """Return what --model names, in a form that stays the same: its path, but a fixed name for the shipped model."""
    return SHIPPED if model == SHIPPED_MODEL else str(model.absolute())


class ModelStore:
    """The models of one inbox.

    Args:
        state: the folder of its ledger.
        over: what --model names, from `called`; None if that is unknown.

    Attributes:
        folder: where the models lie.
        over: as given.
        configured: the file that --model names.
        requests: what a running daemon is asked for.
    """

    def __init__(self, state: Path, over: str | None) -> None:
        self.folder = state / MODELS
        self.over = over
        self.configured = SHIPPED_MODEL if over in (SHIPPED, None) else Path(over or "")
        self.requests = RequestBox(self.folder)
        self._chosen = self.folder / "chosen.json"

    def path(self) -> Path:
        """Return the file of the model to use."""
        return self.target(None)[0]

    def look(self) -> ModelFile:
        """Return that file, and what it looks like now."""
        path = self.path()
        try:
            return ModelFile(path, Identity.of(path.stat()))
        except OSError:
            return ModelFile(path, None)

    def stack(self) -> list[StoredModel]:
        """Return the models that were chosen while --model named what it names now; the last one is used."""
        chosen = read_json(self._chosen)
        if chosen is None or (self.over is not None and chosen.get("over") not in (self.over, None)):
            return []
        return [StoredModel.from_json(model) for model in chosen["models"]]

    def remark(self) -> str:
        """Return in brackets why another model is used than --model names, or was once; else nothing."""
        if self.stack():
            return f" (put in place over {printable(self.configured.name)})"
        chosen = read_json(self._chosen)
        return f" ({chosen['models'][-1]['file']} was put in place over another --model)" if chosen else ""

    def pin(self) -> None:
        """Bind a choice that was made before it was known what --model names to what it names now."""
        chosen = read_json(self._chosen)
        if chosen is not None and chosen.get("over") is None:
            write_json(self._chosen, chosen | {"over": self.over})

    def target(self, request: ChangeRequest | None) -> tuple[Path, str]:
        """Return the file that a request means, or without a request the file to use; and its SHA-256 if it is known.

        Raises:
            ModelStoreError: the request is to go back, and there is no model to go back to.
        """
        stack = self._stack_after(request)
        return (self.folder / stack[-1].file, stack[-1].sha256) if stack else (self.configured, "")

    def grant(self, request: ChangeRequest) -> None:
        """Use from now on what a request means, and conclude it. The caller holds the lock of the state folder."""
        stack = self._stack_after(request)[-KEPT:]
        if stack:
            write_json(self._chosen, {"over": self.over, "models": [asdict(model) for model in stack]})
        else:
            self._chosen.unlink(missing_ok=True)
            sync_directory(self.folder)
        self.requests.done()
        self._remove_unused(stack)

    def put(self, name: str, data: bytes, sha256: str, memory: bytes | None = None, root: str = "") -> StoredModel:
        """Copy a model's bytes into the store; this alone changes nothing.

        Args:
            memory: of its companion file; None without one.
            root: as in `StoredModel`.
        """
        stem = "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in Path(name).stem)[:40] or "model"
        model = StoredModel(f"{stem}.{sha256[:12]}.onnx", sha256, root)
        self.folder.mkdir(exist_ok=True)
        file = self.folder / model.file
        publish_files(({} if memory is None else {memory_path(file): memory}) | {file: data})
        return model

    def holding(self, sha256: str) -> Path | None:
        """Return the file of the store that is named after this content; None if there is none."""
        return next(iter(self.folder.glob(f"*.{sha256[:12]}.onnx")), None)

    def _stack_after(self, request: ChangeRequest | None) -> list[StoredModel]:
        stack = self.stack()
        if request is None:
            return stack
        if request.model is not None:
            return [*(model for model in stack if model != request.model), request.model]
        if not stack:
            raise ModelStoreError(
                f"There is no model to go back to: {printable(self.configured.name)}, which --model names, is in use, "
                "and `model use` put no model in its place."
            )
        return stack[:-1]

    def _remove_unused(self, stack: list[StoredModel]) -> None:
        """Remove models that are neither on the way back nor a root of one there, and what a kill left.

        A young file stays.
        """
        roots = (self.holding(model.root) for model in stack if model.root)
        models = [*(self.folder / model.file for model in stack), *(root for root in roots if root is not None)]
        kept = {*models, *map(memory_path, models)}
        for path in self.folder.iterdir():
            old = path.lstat().st_mtime < time.time() - YOUNG_S
            if old and path not in kept and path.suffix in (".onnx", SUFFIX, ".part"):
                path.unlink(missing_ok=True)

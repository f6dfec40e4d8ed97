"""Replaces the model of a running daemon: the new one is opened, checked and warmed while the old one stays in use.

A signal, a request in the model store, or a changed model file starts this. If anything is wrong with the new model,
the old one is kept. The swap itself is one assignment (`daemon/models/active.py`).
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from common.errors import DeviceError, ModelError, PhototriageError
from common.text import printable
from daemon.classify.loaded_model import LoadedModel
from daemon.models.active import ActiveModel
from daemon.models.history import Entry, ModelEvent
from daemon.models.request import ChangeRequest
from daemon.models.store import ModelFile, ModelStore
from daemon.process.clock import Clock
from daemon.process.sd_notify import notify

LOOK_S = 2.0
"""How often the model's file is looked at. A changed file is loaded once two looks agree."""
END_S = 5.0
"""How long the end of the daemon waits for a model that is being opened."""
DIED = "the daemon ended while it tried this model. Ask for it again, or try it with --model"


class Reloader:
    """Loads a new model when there is one. The pipeline's thread calls `look`; any thread may call `ask`.

    Args:
        active: holds the model in use.
        store: the models of this inbox.
        seen: what the file of the model in use looked like before it was read.
        clock: time.
        opened: opens and warms a model; raises if it must not be used for these folders.
        tell: takes what happened to a model, from any thread.
    """

    def __init__(
        self,
        active: ActiveModel,
        store: ModelStore,
        seen: ModelFile,
        clock: Clock,
        opened: Callable[[Path], LoadedModel],
        tell: Callable[[Entry], None],
    ) -> None:
        self._active = active
        self._store = store
        self._seen = seen
        self._last = seen
        self._clock = clock
        self._opened = opened
        self._tell = tell
        self._asked = False
        self._next_s = 0.0
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Report the model in use, and answer a request that the last process was trying when it died."""
        with suppress(PhototriageError):  # a damaged request is none
            request = self._store.requests.taken()
            if request is not None:
                self._tell(self._entry(ModelEvent.REFUSED, self._file(request), request, reason=DIED))
        self._store.requests.done()
        self._tell(self._entry(ModelEvent.STARTED, self._active.current.file))

    def ask(self) -> None:
        """Load the model at the next `look`. A signal handler may call this."""
        self._asked = True

    def look(self) -> None:
        """Start a thread that loads the model if that is due; mostly this only looks at the clock."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s and not self._asked:
            return
        if self._thread is not None and self._thread.is_alive():
            return
        self._next_s = now_s + LOOK_S
        asked = self._asked
        if asked:  # only then, so that a call of `ask` between these two lines is not lost
            self._asked = False
        if asked or self._store.requests.is_waiting() or self._changed():
            self._thread = threading.Thread(target=self._reload, name="model", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Wait a few seconds for a model that is being opened."""
        if self._thread is not None:
            self._thread.join(END_S)

    def _changed(self) -> bool:
        """Tell whether the file differs from what is in use and is at rest, which means that two looks agree."""
        try:
            found = self._store.look()
        except PhototriageError:  # a fault of the store is reported when somebody asks for a model
            return False
        settled, self._last = found == self._last, found
        return settled and found.identity is not None and found != self._seen

    def _reload(self) -> None:
        notify(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock.monotonic_s() * 1e6)}")
        request = None
        file = self._active.current.file
        try:
            request = self._store.requests.take()
            file = self._file(request)
            entry = self._replace(request)
        except Exception as error:  # noqa: BLE001 - if anything is wrong with the new model, the old one stays in use
            entry = self._entry(ModelEvent.REFUSED, file, request, reason=_words(error))
            with suppress(OSError):  # the disk cannot be written now; the next start reports the request again
                self._store.requests.done()
        self._tell(entry)
        notify("READY=1")

    def _replace(self, request: ChangeRequest | None) -> Entry:
        path, sha256 = self._store.target(request)
        if request is None:
            # Also for a file that is refused: it is not tried again until it changes.
            self._seen = self._store.look()
        serving, before = self._opened(path), self._active.current
        if sha256 and serving.model.sha256 != sha256:
            raise ModelError(f"{printable(path)} is damaged: its content has changed. Repeat `phototriage model use`.")
        if serving.model.provider != before.model.provider:
            raise DeviceError(
                f"it would run on {serving.model.provider.upper()}, but the model in use runs on "
                f"{before.model.provider.upper()}. Restart the daemon to change that"
            )
        if request is not None:
            self._store.grant(request)
            self._seen = self._store.look()
        self._active.current = serving
        what = ModelEvent.UNCHANGED if serving.model.sha256 == before.model.sha256 else ModelEvent.USED
        if request is not None and request.model is None:
            what = ModelEvent.ROLLED_BACK
        return self._entry(what, path, request, before=before.file)

    def _file(self, request: ChangeRequest | None) -> Path:
        """Return the file that is meant, for the ledger; that of the model in use if none can be named."""
        try:
            return self._store.target(request)[0]
        except PhototriageError:
            return self._active.current.file

    def _entry(
        self,
        what: ModelEvent,
        file: Path,
        request: ChangeRequest | None = None,
        *,
        reason: str = "",
        before: Path | None = None,
    ) -> Entry:
        now = self._active.current
        refused = what is ModelEvent.REFUSED
        return Entry(
            self._clock.wall_s(),
            file,
            what,
            sha256="" if refused else now.model.sha256,
            labels=() if refused else now.model.contract.labels,
            reason=reason,
            before=before or now.file,
            over=self._store.over or "",
            request=request.id if request else "",
        )


def _words(error: Exception) -> str:
    """Return the reason in one line: an error of ours is a sentence, another error may be any text."""
    if isinstance(error, PhototriageError):
        return " ".join(str(error).split())
    first = (str(error).splitlines() or [""])[0][:300]
    return printable(f"it cannot be used ({type(error).__name__}: {first})")

"""A new model takes over without a stop: it is opened, proven and warmed beside the old one, which works on till then.

Asked by a signal, by a request in the model store, or by a model file that changed and is at rest again. Whatever is
wrong with the new one, the old one is kept. The swap itself is one assignment (`daemon/models/active.py`).
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from common.errors import DeviceError, ModelError, PhototriageError
from common.text import printable
from daemon.models.active import ActiveModel, LoadedModel
from daemon.models.history import Entry, ModelEvent
from daemon.models.store import ChangeRequest, FileState, ModelStore
from daemon.process.clock import Clock
from daemon.process.sd_notify import notify

LOOK_S = 2.0
"""How often the model's file is looked at; a change is taken when two looks agree."""
END_S = 5.0
"""How long the end of the daemon waits for a model that is just being opened."""
DIED = "the daemon ended while it was tried. Ask for it again, or try it with --model"


class Reloader:
    """Watches over which model serves; `look` belongs to the pipeline's thread, `ask` to whoever has a wish.

    Args:
        holder: of the model that serves.
        store: of the models in place.
        seen: what the file of the model that serves looked like before it was read.
        clock: time.
        opened: opens a file for these folders and warms it; raises when it must not serve.
        tell: takes what became of a model, from any thread.
    """

    def __init__(
        self,
        holder: ActiveModel,
        store: ModelStore,
        seen: FileState,
        clock: Clock,
        opened: Callable[[Path], LoadedModel],
        tell: Callable[[Entry], None],
    ) -> None:
        self._holder = holder
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
        """Say which model serves, and conclude what the last process did not live to tell."""
        with suppress(PhototriageError):  # a damaged wish is none
            wish = self._store.tried()
            if wish is not None:
                self._tell(self._entry(ModelEvent.REFUSED, self._file(wish), DIED, wish))
        self._store.end()
        self._tell(self._entry(ModelEvent.STARTED, self._holder.current.file))

    def ask(self) -> None:
        """Load anew as soon as `look` is called; may be called by a signal's handler."""
        self._asked = True

    def look(self) -> None:
        """See whether a model is to be loaded, and let a thread do so; costs a look at the clock most of the time."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_s and not self._asked:
            return
        if self._thread is not None and self._thread.is_alive():
            return
        self._next_s = now_s + LOOK_S
        asked = self._asked
        if asked:  # only then: a wish that comes between these two lines must not be dropped
            self._asked = False
        if asked or self._store.wanted() or self._changed():
            self._thread = threading.Thread(target=self._reload, name="model", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Wait for a model that is being opened, but not for ever."""
        if self._thread is not None:
            self._thread.join(END_S)

    def _changed(self) -> bool:
        """Tell whether the file that is to serve is another than that which does, and at rest: two looks agree."""
        try:
            found = self._store.looked()
        except PhototriageError:  # a fault of the store is reported to the one who asks for a model
            return False
        settled, self._last = found == self._last, found
        return settled and found.identity is not None and found != self._seen

    def _reload(self) -> None:
        notify(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock.monotonic_s() * 1e6)}")
        wish = None
        file = self._holder.current.file
        try:
            wish = self._store.begin()
            file = self._file(wish)
            entry = self._take_over(wish)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the new model, the old one works on
            entry = self._entry(ModelEvent.REFUSED, file, _words(error), wish)
            with suppress(OSError):  # a disk that takes nothing now; the next start tells of it once more
                self._store.end()
        self._tell(entry)
        notify("READY=1")

    def _take_over(self, wish: ChangeRequest | None) -> Entry:
        path, sha256 = self._store.target(wish)
        if wish is None:
            # Also for one that is refused: it is not tried anew until it changes.
            self._seen = self._store.looked()
        serving, before = self._opened(path), self._holder.current
        if sha256 and serving.model.sha256 != sha256:
            raise ModelError(f"{printable(path)} is damaged: it is not the file that was put in place. Do so again.")
        if serving.model.provider != before.model.provider:
            raise DeviceError(
                f"it would run on {serving.model.provider.upper()}, and the one at work does on "
                f"{before.model.provider.upper()}. Start the daemon anew to change that"
            )
        if wish is not None:
            self._store.grant(wish)
            self._seen = self._store.looked()
        self._holder.current = serving
        return self._entry(self._what(serving, before, wish), path, "", wish, before.file)

    def _what(self, serving: LoadedModel, before: LoadedModel, wish: ChangeRequest | None) -> ModelEvent:
        if wish is not None and wish.model is None:
            return ModelEvent.ROLLED_BACK
        return ModelEvent.UNCHANGED if serving.model.sha256 == before.model.sha256 else ModelEvent.USED

    def _file(self, wish: ChangeRequest | None) -> Path:
        """Return the file that is meant, for the ledger; that of the model at work where none can be named."""
        try:
            return self._store.target(wish)[0]
        except PhototriageError:
            return self._holder.current.file

    def _entry(
        self,
        what: ModelEvent,
        file: Path,
        reason: str = "",
        wish: ChangeRequest | None = None,
        before: Path | None = None,
    ) -> Entry:
        now = self._holder.current
        refused = what is ModelEvent.REFUSED
        return Entry(
            self._clock.wall_s(),
            file,
            what,
            "" if refused else now.model.sha256,
            () if refused else now.model.contract.labels,
            reason,
            before or now.file,
            self._store.over or "",
            wish.id if wish else "",
        )


def _words(error: Exception) -> str:
    """Return the reason in one line: ours is a sentence, others' may be anything."""
    if isinstance(error, PhototriageError):
        return " ".join(str(error).split())
    first = (str(error).splitlines() or [""])[0][:300]
    return printable(f"it cannot be used ({type(error).__name__}: {first})")

"""Results of photos that only wait for their place: a retry neither reads nor decodes nor classifies again."""

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from daemon.files.identity import Identity
from daemon.photo import STOPPED, Judgement, Outcome, Photo, Read
from daemon.process.parallel import SHARE_TOGETHER, for_each
from daemon.words.words import EMPTY, Words

MAX_REMEMBERED = 4096
"""Photos remembered, about 1 kB each; beyond that the oldest are forgotten and read again when retried."""
_STAGES = ("read", "decode", "infer")


class _Known(NamedTuple):
    changed_ns: int
    identity: Identity
    read: Read
    judgement: Judgement
    times_ms: dict[str, float]


class Remembered:
    """Remembers photos; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._photos: OrderedDict[Path, _Known] = OrderedDict()
        self._words = EMPTY

    def keep(self, photos: list[Photo]) -> None:
        """Remember photos that were classified but could not be filed; none while the daemon stops."""
        stay = [photo for photo in photos if _waits_for_its_place(photo)]
        on_share = any(photo.found.on_share for photo in stay)
        for_each(stay, self._keep, SHARE_TOGETHER if on_share else 1, "remember", None)

    def _keep(self, photo: Photo) -> None:
        if changed_ns := _changed_ns(photo.path, photo.found.identity):
            times_ms = {stage: photo.times_ms[stage] for stage in _STAGES if stage in photo.times_ms}
            known = _Known(changed_ns, photo.found.identity, photo.read, photo.judgement, times_ms)
            with self._lock:
                self._photos[photo.path] = known
                if len(self._photos) > MAX_REMEMBERED:
                    self._photos.popitem(last=False)

    def recall(self, photo: Photo, model: str, words: Words) -> bool:
        """Give a photo what is known of it, if file, model and words are unchanged. Returns whether it was given.

        Args:
            photo: found again.
            model: SHA-256 of the model that serves now.
            words: what people said, as it counts now; other words may judge each photo in another way.
        """
        if not self._photos:
            return False
        with self._lock:
            if words is not self._words:
                self._photos.clear()
                self._words = words
            known = self._photos.pop(photo.path, None)
        if known is None or known.identity != photo.found.identity or known.judgement.model != model:
            return False
        if _changed_ns(photo.path, known.identity) != known.changed_ns:
            return False
        photo.read, photo.judgement = known.read, known.judgement
        photo.times_ms |= known.times_ms
        return True


def _waits_for_its_place(photo: Photo) -> bool:
    return photo.filing.outcome is Outcome.AGAIN and bool(photo.judgement.folder) and photo.filing.reason != STOPPED


def _changed_ns(path: Path, identity: Identity) -> int:
    """Return the ctime of a file, which no program can set; 0 if the file is gone or is another one."""
    try:
        status = os.lstat(path)
    except OSError:
        return 0
    return status.st_ctime_ns if Identity.of(status) == identity else 0

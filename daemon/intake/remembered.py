"""Results of photos that only wait for their place: a retry neither reads nor decodes nor classifies again."""

import os
import threading
from collections import OrderedDict
from pathlib import Path

from daemon.classify.decide import STOPPED
from daemon.files.identity import Identity
from daemon.photo import Outcome, Photo
from daemon.process.parallel import FAR_TOGETHER, each

MAX_REMEMBERED = 4096
"""Photos remembered, about 1 kB each; beyond that the oldest are forgotten and read again when retried."""
_KNOWN = ("sha256", "unchanged_s", "taken", "fault", "scores")
_STAGES = ("read", "decode", "infer")


class Remembered:
    """Remembers photos; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._photos: OrderedDict[Path, tuple[int, Photo]] = OrderedDict()

    def keep(self, photos: list[Photo]) -> None:
        """Remember photos that were classified but could not be filed; none while the daemon stops."""
        stay = [
            photo for photo in photos if photo.outcome is Outcome.AGAIN and photo.folder and photo.reason != STOPPED
        ]
        far = any(photo.on_share for photo in stay)
        each(stay, self._keep, FAR_TOGETHER if far else 1, "remember", None)

    def _keep(self, photo: Photo) -> None:
        if changed_ns := _changed_ns(photo):
            photo.companions = []
            if photo.scores is not None:
                photo.scores = photo.scores.copy()  # else it keeps the whole batch in memory
            with self._lock:
                self._photos[photo.path] = changed_ns, photo
                if len(self._photos) > MAX_REMEMBERED:
                    self._photos.popitem(last=False)

    def recall(self, photo: Photo) -> bool:
        """Fill in the results of a photo if file and model are unchanged. Returns whether they were filled in."""
        if not self._photos:
            return False
        with self._lock:
            changed_ns, before = self._photos.pop(photo.path, (0, photo))
        if before.identity != photo.identity or before is photo or _changed_ns(photo) != changed_ns:
            return False
        if before.rules is None or photo.rules is None or before.rules.model != photo.rules.model:
            return False
        for name in _KNOWN:
            setattr(photo, name, getattr(before, name))
        photo.times_ms |= {stage: before.times_ms[stage] for stage in _STAGES if stage in before.times_ms}
        return True


def _changed_ns(photo: Photo) -> int:
    """Return the ctime of a file, which no program can set; 0 if the file is gone or is another one."""
    try:
        status = os.lstat(photo.path)
    except OSError:
        return 0
    return status.st_ctime_ns if Identity.of(status) == photo.identity else 0

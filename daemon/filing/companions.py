"""Companions: files that belong to a photo of the same name (sidecars, films, raw data) and are filed with it.

`IMG_1.xmp` and `IMG_1.jpg.xmp` both belong to `IMG_1.jpg` in the same folder. The case of the extension is ignored.
"""

from collections import OrderedDict
from pathlib import Path

from contract.formats import PHOTO_EXTENSIONS
from daemon.files.identity import look_at
from daemon.photo import Photo

LATE_S = 86_400.0
"""How long after its photo a companion may arrive. Cameras restart their numbers, so later it is another photo's."""
MAX_WAITING = 200_000
"""How many companions are remembered; the scan after a restart finds the oldest again."""

_Key = tuple[Path, str]


def photo_is_coming(companion: Path) -> bool:
    """Tell whether a photo of the companion's name lies beside it, which is to be filed soon or later."""
    stem = companion.with_suffix("")
    if stem.suffix.lower() in PHOTO_EXTENSIONS and look_at(stem) is not None:
        return True
    forms = (form for extension in PHOTO_EXTENSIONS for form in (extension, extension.upper()))
    # Not Path.exists: it raises for a name that becomes too long, and in a folder that lost its permissions.
    return any(look_at(companion.with_suffix(form)) is not None for form in forms)


class Companions:
    """Remembers the companions that wait in the inbox for their photo."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[_Key, dict[Path, Photo]] = OrderedDict()

    def add(self, companion: Photo) -> None:
        """Add a companion."""
        self._waiting.setdefault((companion.path.parent, companion.path.stem), {})[companion.path] = companion
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)

    def remove(self, companion: Photo) -> None:
        """Forget a companion."""
        key = (companion.path.parent, companion.path.stem)
        parts = self._waiting.get(key, {})
        parts.pop(companion.path, None)
        if not parts:
            self._waiting.pop(key, None)

    def claim(self, photo: Path) -> list[Photo]:
        """Return and forget the companions of a photo; the scan finds those again that changed meanwhile."""
        if not self._waiting:
            return []
        found: dict[Path, Photo] = {}
        for key in (photo.stem, photo.name):
            found |= self._waiting.pop((photo.parent, key), {})
        return [part for path, part in sorted(found.items()) if look_at(path) == part.identity]

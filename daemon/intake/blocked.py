"""Photos that wait for a place of the output which cannot be used: one of them is tried for all. Pure logic."""

from pathlib import Path

from daemon.queues import Blocked


def merged(*told: list[Blocked]) -> list[Blocked]:
    """Return all places, each once: what the last list says of it."""
    return list({one.place: one for some in told for one in some}.values())


class BlockedPlaces:
    """Remembers which photos wait for which place. When one of them gets there, all may be tried."""

    def __init__(self) -> None:
        self._places: dict[str, dict[Path, str]] = {}
        self._place_of: dict[Path, str] = {}

    def told(self) -> list[Blocked]:
        """Return all places; another thread may ask."""
        places = [(place, list(photos.values())) for place, photos in list(self._places.items())]
        return [Blocked(place, len(reasons), reasons[0]) for place, reasons in places if reasons]

    def holds(self, photo: Path) -> bool:
        """Tell whether a photo is not to be tried, because another one is tried for it."""
        place = self._place_of.get(photo)
        return place is not None and next(iter(self._places[place])) != photo

    def add(self, photo: Path, place: str, reason: str) -> list[Path]:
        """Take note that a photo waits for a place; returns those that may be tried now instead of it."""
        if self._place_of.get(photo) == place:
            self._places[place][photo] = reason
            return []
        released = self.drop(photo)
        self._places.setdefault(place, {})[photo] = reason
        self._place_of[photo] = place
        return released

    def drop(self, photo: Path) -> list[Path]:
        """Take note that a photo waits no more; returns the one that is tried for the others from now on."""
        place = self._place_of.pop(photo, None)
        if place is None:
            return []
        photos = self._places[place]
        was_first = next(iter(photos)) == photo
        del photos[photo]
        if not photos:
            del self._places[place]
        return [next(iter(photos))] if was_first and photos else []

    def free(self, place: str) -> list[Path]:
        """Take note that a photo got to a place; returns those that waited for it."""
        photos = list(self._places.pop(place, ()))
        for photo in photos:
            del self._place_of[photo]
        return photos

"""Photos that wait for an unusable place of the output: one photo is tried on behalf of all. Pure logic."""

from pathlib import Path

from daemon.queues import Blocked


def merge_blocked(*told: list[Blocked]) -> list[Blocked]:
    """Merge lists of places. Where two lists name the same place, the last one wins."""
    return list({one.place: one for some in told for one in some}.values())


class BlockedPlaces:
    """Remembers which photos wait for which place. When one photo is filed there, the others may be tried too."""

    def __init__(self) -> None:
        self._places: dict[str, dict[Path, str]] = {}
        self._place_of: dict[Path, str] = {}

    def told(self) -> list[Blocked]:
        """Return all places. Any thread may call this."""
        places = [(place, list(photos.values())) for place, photos in list(self._places.items())]
        return [Blocked(place, len(reasons), reasons[0]) for place, reasons in places if reasons]

    def holds(self, photo: Path) -> bool:
        """Tell whether a photo must wait because another photo is tried for the same place."""
        place = self._place_of.get(photo)
        return place is not None and next(iter(self._places[place])) != photo

    def add(self, photo: Path, place: str, reason: str) -> list[Path]:
        """Record that a photo waits for a place. Returns the photos that may be tried now in its stead."""
        if self._place_of.get(photo) == place:
            self._places[place][photo] = reason
            return []
        released = self.drop(photo)
        self._places.setdefault(place, {})[photo] = reason
        self._place_of[photo] = place
        return released

    def drop(self, photo: Path) -> list[Path]:
        """Record that a photo no longer waits. Returns the photo that is tried for the others from now on."""
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
        """Record that a photo was filed at a place. Returns the photos that waited for this place."""
        photos = list(self._places.pop(place, ()))
        for photo in photos:
            del self._place_of[photo]
        return photos

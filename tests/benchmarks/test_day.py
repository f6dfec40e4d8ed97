"""A short day: photos, an owner, learn, refile and kills; and the proof notices a photo that is lost."""

import random
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.day.__main__ import live
from benchmarks.day.house import BrokenError, House
from benchmarks.day.photos import photos_of_a_day

pytestmark = pytest.mark.skipif(find_spec("sklearn") is None, reason="learn is not installed here")


def test_a_day_of_corrections_learning_refiling_and_kills_loses_nothing(tmp_path: Path, shared: Path) -> None:
    photos = photos_of_a_day(shared, 50, seed=3)
    assert len({one.path for one in photos}) == 50
    house = House(tmp_path / "house", random.Random(3))
    try:
        evenings = live(house, photos, 25, _AlwaysKills(), learns=True)
    finally:
        house.stop()
    house.check()
    assert [one.photos for one in evenings] == [25, 50]
    assert evenings[-1].corrected > 0
    assert evenings[-1].right >= evenings[-1].at_once
    assert set(house.kills) == {"watch", "learn", "refile"}
    next(iter(house.places())).unlink()
    with pytest.raises(BrokenError, match="1 photos are lost, 0 are there twice"):
        house.check()


class _AlwaysKills(random.Random):
    """Kills whatever may be killed."""

    def random(self) -> float:
        return 0.0

"""Does a day of corrections make the folders right? A real daemon, an owner, `learn`, `refile`, `audit`, and kills.

Photos come by the hundred, of another camera than the model's and of a class that it does not know. Their owner
corrects every second mistake by moving the file, then calls `learn` and `refile`. Beside it the same day passes in a
house where nobody learns. The daemon and each command are killed at random moments.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import finish, parser, tell, workplace
from benchmarks.day.chart import chart
from benchmarks.day.house import House
from benchmarks.day.photos import Photo, photos_of_a_day
from benchmarks.told import Row, Told

AUDITED = 50
"""Photos that an audit asks about."""
AUDIT_EVERY = 2
"""Of so many evenings one has an audit."""


class Evening(NamedTuple):
    """How it stands after some photos.

    Attributes:
        photos: that came so far.
        at_once: of the last ones, the share that was filed where it belongs.
        right: of all, the share that lies where it belongs.
        corrected: photos that the owner moved so far.
        verdict: of the gate; empty where nobody learns.
        refiled: photos that `refile` moved this time.
        audited: what the audit says of the model that filed the last ones; empty without one.
    """

    photos: int
    at_once: float
    right: float
    corrected: int
    verdict: str = ""
    refiled: int = 0
    audited: str = ""


class Owner:
    """Corrects every second mistake, in the order in which photos came; what was passed over once stays so."""

    def __init__(self) -> None:
        self.corrected = 0
        self._seen: set[str] = set()
        self._is_next = True

    def correct(self, house: House) -> None:
        """Move mistakes that are new."""
        wrong: dict[Path, str] = {}
        for path, truth in sorted(house.places().items(), key=lambda pair: pair[0].name):
            if path.parent.name != truth and path.name not in self._seen:
                self._seen.add(path.name)
                if self._is_next:
                    wrong[path] = truth
                self._is_next = not self._is_next
        house.correct(wrong)
        self.corrected += len(wrong)


def live(house: House, photos: Sequence[Photo], some: int, rng: random.Random, *, learns: bool) -> list[Evening]:
    """Let photos come, some at a time.

    Args:
        house: with nothing in it.
        photos: in their order.
        some: how many come before the owner looks.
        rng: chooses what is killed.
        learns: whether the owner calls `learn` and `refile`.
    """
    owner, found = Owner(), list[Evening]()
    house.start()
    for first in range(0, len(photos), some):
        here = photos[first : first + some]
        before = house.right()
        house.drop(list(here), kill=learns and rng.random() < 0.5)
        at_once = (house.right() - before) / len(here)
        audited = _audited(house, first) if learns and (first // some) % AUDIT_EVERY else ""
        owner.correct(house)
        verdict, moved = "", 0
        if learns:
            (told,) = house.run("learn", "--yes", codes=(0, 3), kill=rng.random() < 0.3)
            verdict = str(told["verdict"] or "nothing yet")
            *_, summary = house.run("refile", "--all", codes=(0, 1), kill=rng.random() < 0.3)
            moved = int(summary["moved"])
        count = first + len(here)
        found.append(Evening(count, at_once, house.right() / count, owner.corrected, verdict, moved, audited))
        tell(f"{count} photos, {found[-1].right:.3f} lie where they belong")
    return found


def measure(arguments: argparse.Namespace) -> tuple[Told, str]:
    """Live the day twice; returns what was found, and the chart."""
    count, some = (60, 20) if arguments.short else (arguments.photos, 100)
    photos = photos_of_a_day(arguments.shared, count, arguments.seed)
    evenings: dict[bool, list[Evening]] = {}
    kills = 0
    for learns in (True, False):
        with workplace(arguments.work, "day") as folder:
            house = House(folder, random.Random(arguments.seed))
            try:
                evenings[learns] = live(house, photos, some, random.Random(arguments.seed), learns=learns)
                kills += house.kills.total()
            finally:
                house.stop()
            house.check()
    rows = [_row(one, other) for one, other in zip(evenings[True], evenings[False], strict=True)]
    last, alone = evenings[True][-1], evenings[False][-1]
    figure = {
        "right with learn and refile": round(last.right, 4),
        "right without": round(alone.right, 4),
        "filed right at once in the last half, with": round(_late(evenings[True]), 4),
        "without": round(_late(evenings[False]), 4),
        "corrections with": last.corrected,
        "corrections without": alone.corrected,
        "kills": kills,
        "lost": 0,
    }
    meaning = "Shares of all photos that lie in the folder where they belong; nothing was lost or doubled."
    return Told(rows, figure, meaning), chart(rows)


def _audited(house: House, number: int) -> str:
    told = house.audit(AUDITED, number)
    (now,) = (one for one in told["models"] if one["in_use"])
    return f"{now['accuracy']:.2f} of {now['answered']} ({now['low']:.2f} to {now['high']:.2f})"


def _late(evenings: Sequence[Evening]) -> float:
    late = evenings[len(evenings) // 2 :]
    return sum(one.at_once for one in late) / len(late)


def _row(one: Evening, other: Evening) -> Row:
    return {
        "photos": one.photos,
        "at once": f"{one.at_once:.2f}",
        "at once without": f"{other.at_once:.2f}",
        "right": f"{one.right:.3f}",
        "right without": f"{other.right:.3f}",
        "corrected": one.corrected,
        "corrected without": other.corrected,
        "learn": one.verdict,
        "refiled": one.refiled,
        "audit of the model": one.audited or None,
    }


def main() -> None:
    made = parser("day", __doc__, "60 photos")
    made.add_argument("shared", type=Path, help="folder with the sets of photos")
    made.add_argument("--photos", type=int, default=1000, help="how many come")
    made.add_argument("--seed", type=int, default=1, help="of the choice, the order and the kills")
    made.add_argument("--chart", type=Path, help="draw the shares into this SVG file")
    arguments = made.parse_args()
    told, drawn = measure(arguments)
    if arguments.chart:
        arguments.chart.write_text(drawn, encoding="utf-8")
    finish("day", arguments, told)


if __name__ == "__main__":
    main()

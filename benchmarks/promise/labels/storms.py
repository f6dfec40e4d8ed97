"""Random doings in the output of a daemon that looks all the time and is killed again and again."""

import random
from collections import Counter
from collections.abc import Callable

from benchmarks.promise.labels.doings import Doings
from benchmarks.promise.labels.house import House
from benchmarks.promise.world import BrokenError, World, digest, photo

MOST = 40
"""Photos in the output; fewer than what `many photos of one class were moved` asks about."""
SETTLED = 4
"""Looks after which nothing is left to find: the second one confirms, and folders are listed once more."""


def storms(world: World, groups: int, seed: int, tell: Callable[[str], None]) -> dict[str, int]:
    """Do `groups` groups of random things, and compare files and ledger after each one with the table.

    In most groups no look is made before all is done, so that it is known what the looks find. In others, photos are
    renamed while looks go on: then only their end is known, and through which classes they went.

    Raises:
        BrokenError: a photo is lost, doubled or damaged, or the ledger says what the table does not say.
    """
    rng, house = random.Random(seed), House(world)
    counts: Counter[str] = Counter()
    world.start()
    house.looks(SETTLED)
    for group in range(groups):
        _group(house, rng, counts)
        if group % 20 == 19:
            tell(f"{group + 1} groups, {dict(counts)}, all as the table says")
    if world.end():
        raise BrokenError(f"the daemon did not end well: {world.errors()}")
    return {"groups": groups, **counts}


def _group(house: House, rng: random.Random, counts: Counter[str]) -> None:
    doings = Doings(house, rng)
    with house.without_looks():
        _come_and_go(house, rng, counts, doings)
        if rng.random() < 0.15:
            doings.folder()
        doings.some(rng.randrange(1, 12))
    if rng.random() < 0.3:
        doings.storm()
    if rng.random() < 0.3:
        counts["kills"] += 1
        late = [photo(house.next_number()) for _ in range(rng.randrange(4))]
        house.put(late)
        house.die(rng)
        house.until_filed(len(late), {digest(data): data for data in late})
    house.looks(SETTLED)
    for row in doings.touched & house.filed.keys():
        one = house.filed[row]
        if row in doings.journeys:
            _settle(house, row, doings.journeys[row])
        elif not one.is_asked:
            one.judge(house.inode_of)
    house.check()
    counts["touched"] += len(doings.touched)
    counts["photos"] = max(house.filed, default=0)
    counts["labels"] = sum(len(one.events) for one in house.filed.values())


def _come_and_go(house: House, rng: random.Random, counts: Counter[str], doings: Doings) -> None:
    if rng.random() < 0.2:
        house.undo_last()
        counts["undone"] += 1
    elif rng.random() < 0.2:
        for one in house.retry_undone():
            one.is_simple = True
    if len(house.filed) < MOST:
        house.drop([photo(house.next_number()) for _ in range(rng.randrange(1, 6))])
    labelled = [
        one
        for one in house.filed.values()
        if one.said and not (one.is_asked or one.edits or one.copies or one.is_simple)
    ]
    if labelled and rng.random() < 0.3:
        like = rng.choice(labelled)
        (twin,) = house.drop([photo(like.number)])
        like.is_simple = twin.is_simple = True
        doings.touched.add(twin.row)
        if twin.filed_as != like.said:
            raise BrokenError(f"{twin} is filed under {twin.filed_as}, though a person said: {like}")


def _settle(house: House, row: int, visited: set[str]) -> None:
    """Take over what looks found in the middle of a journey, if it may be so."""
    one = house.filed[row]
    before, said = list(one.events), one.said
    events = house.events_of(row)[len(before) :]
    if not one.may_end_with(visited, events):
        raise BrokenError(f"row {row} got the labels {events} on a way through {visited}: {one}")
    one.judge(house.inode_of)
    one.events, one.said = before + events, events[-1] if events else said
    if one.is_gone and (place := house.place_of(row)) in visited:
        one.place = place

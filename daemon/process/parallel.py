"""Several threads for work that waits for something far: one round trip after another would take its time times all."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from daemon.process.heartbeat import Heartbeat

FAR_TOGETHER = 16
"""How many operations on a share are under way at once. A client passes on more than that one after another."""
Item = TypeVar("Item")


def each(
    items: Iterable[Item], work: Callable[[Item], object], threads: int, name: str, heartbeat: Heartbeat | None
) -> None:
    """Call `work` for each item, in their order, as many at once as there are threads; the caller's is one of them.

    Args:
        items: what is to be done.
        work: does one; of what it raises first, no other begins, and that is raised here once all have ended.
        threads: how many; with one, everything happens in the calling thread.
        name: of the threads.
        heartbeat: where each thread notes that it gets on, with each item.
    """
    left = list(items)
    left.reverse()
    faults: list[BaseException] = []
    helpers = [
        threading.Thread(target=_help, args=(left, work, faults, heartbeat), name=f"{name}-{number}")
        for number in range(1, min(threads, len(left)))
    ]
    started = []
    with suppress(RuntimeError):  # no more threads for this process now: then with fewer
        for helper in helpers:
            helper.start()
            started.append(helper)
    _work_off(left, work, faults, heartbeat)
    if heartbeat is not None and started:
        heartbeat.end()  # who waits for the others is in no call of its own
    for helper in started:
        helper.join()
    if heartbeat is not None and started:
        heartbeat.begin()
    if faults:
        raise faults[0]


def _help(
    left: list[Item], work: Callable[[Item], object], faults: list[BaseException], heartbeat: Heartbeat | None
) -> None:
    _work_off(left, work, faults, heartbeat)
    if heartbeat is not None:
        heartbeat.end()


def _work_off(
    left: list[Item], work: Callable[[Item], object], faults: list[BaseException], heartbeat: Heartbeat | None
) -> None:
    while left and not faults:
        try:
            item = left.pop()  # one step for all threads
        except IndexError:
            return
        if heartbeat is not None:
            heartbeat.begin()
        try:
            work(item)
        except BaseException as fault:  # noqa: BLE001 - whatever it is, the calling thread raises it
            faults.append(fault)

"""Runs work on a share in several threads, because one round trip after another would take too long."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from daemon.process.heartbeat import Heartbeat

SHARE_TOGETHER = 16
"""How many operations on a share run at once. A client sends more than that one after another."""
Item = TypeVar("Item")


def for_each(
    items: Iterable[Item], work: Callable[[Item], object], threads: int, name: str, heartbeat: Heartbeat | None
) -> None:
    """Call `work` for each item in order, in several threads; the calling thread is one of them.

    Args:
        items: what to work on.
        work: handles one item. After its first error no new item begins; the error is raised once all threads end.
        threads: how many; with 1, everything happens in the calling thread.
        name: of the threads.
        heartbeat: records the progress of each thread.
    """
    left = list(items)
    left.reverse()
    faults: list[BaseException] = []
    helpers = [
        threading.Thread(target=_help, args=(left, work, faults, heartbeat), name=f"{name}-{number}")
        for number in range(1, min(threads, len(left)))
    ]
    started = []
    with suppress(RuntimeError):  # the process may start no more threads: go on with fewer
        for helper in helpers:
            helper.start()
            started.append(helper)
    _work_off(left, work, faults, heartbeat)
    if heartbeat is not None and started:
        heartbeat.end()  # waiting for the other threads is no call of its own
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
            item = left.pop()  # atomic, so no two threads get one item
        except IndexError:
            return
        if heartbeat is not None:
            heartbeat.begin()
        try:
            work(item)
        except BaseException as fault:  # noqa: BLE001 - the calling thread raises it, whatever it is
            faults.append(fault)

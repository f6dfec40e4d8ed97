"""What must reach the disk before outcomes may be written: data of files and names in folders, each once a round."""

import threading
from contextlib import suppress
from pathlib import Path

from daemon.filing import sync_file, sync_folder

TOGETHER = 4
"""How many syncs are under way at once in a round of many. Each waits for the disk to empty its cache, and those that
come while it does share the next time: 55 took a disk 137 ms one after another, and 4 ms so."""
FEW = 8
"""A round of so few goes one after another, for starting threads costs a part of a millisecond."""


class Syncs:
    """Files and folders that are to be made durable. Owing is for one thread."""

    def __init__(self) -> None:
        self._folders: dict[str, None] = {}  # in the order in which they came
        self._files: dict[str, None] = {}

    def owe_file(self, path: str | Path) -> None:
        """Take note of a file whose data must be made durable."""
        self._files[str(path)] = None

    def owe_folder(self, path: str | Path) -> None:
        """Take note of a folder whose names must be."""
        self._folders[str(path)] = None

    def settle(self) -> None:
        """Make all durable.

        Raises:
            OSError, MemoryError: what could not be stays owed.
        """
        left = [(path, True) for path in self._files] + [(path, False) for path in self._folders]
        left.reverse()
        faults: list[OSError | MemoryError] = []
        helpers = [
            threading.Thread(target=self._settle, args=(left, faults), name=f"sync-{number}")
            for number in range(1, TOGETHER if len(left) > FEW else 1)
        ]
        started = []
        with suppress(RuntimeError):  # no more threads for this process now: then with fewer
            for helper in helpers:
                helper.start()
                started.append(helper)
        self._settle(left, faults)
        for helper in started:
            helper.join()
        if faults:
            raise faults[0]

    def _settle(self, left: list[tuple[str, bool]], faults: list[OSError | MemoryError]) -> None:
        while left and not faults:
            try:
                path, is_file = left.pop()  # one step for all threads, as the deletions below are
            except IndexError:
                return
            try:
                with suppress(FileNotFoundError, NotADirectoryError):  # its owner took it further: none of ours is left
                    (sync_file if is_file else sync_folder)(path)
            except (OSError, MemoryError) as fault:  # whichever thread met it, the outcomes must not be written
                faults.append(fault)
                return
            del (self._files if is_file else self._folders)[path]

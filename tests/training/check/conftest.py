"""What tests of the data check share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def as_nobody(tmp_path: Path) -> Callable[[], None]:
    """Give up root's right to read everything; the test takes it back by `os.seteuid(os.getuid())`."""

    def become() -> None:
        if os.geteuid() != 0:
            return
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_mode & 0o005 != 0o005:
                folder.chmod(folder.stat().st_mode | 0o055)
        os.seteuid(65534)

    return become

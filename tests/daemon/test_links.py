"""Where a link took a file's place in the last moment, no call opens it that opens what others may replace."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.files.confined import open_photo, open_to_lock, read_small
from daemon.files.identity import look_fresh
from daemon.filing.move import publish_copy
from tests.daemon.support import digest, identity_of, plain, write

OPENS: dict[str, Callable[[Path], object]] = {
    "a photo": lambda link: open_photo(link, Path()),
    "a photo in a folder": lambda link: open_photo(link, Path(link.parent.name)),
    "what is locked": open_to_lock,
}


@pytest.fixture
def link(tmp_path: Path) -> Path:
    link = tmp_path / "a.jpg"
    link.symlink_to(write(tmp_path / "private.jpg", plain("red")))
    return link


@pytest.mark.parametrize("what", OPENS)
def test_a_link_is_not_opened(link: Path, what: str) -> None:
    with pytest.raises(OSError) as raised:
        OPENS[what](link)
    assert raised.value.errno == errno.ELOOP


def test_a_link_is_not_copied_though_it_leads_to_the_very_photo(link: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="symbolic links"):
        publish_copy(link, identity_of(link.resolve()), digest(plain("red")), tmp_path / "out" / "a.jpg")
    assert not list((tmp_path / "out").iterdir())


def test_a_link_is_no_photo_and_no_marker(link: Path) -> None:
    assert look_fresh(link) is None
    with pytest.raises(ValueError, match="a link"):
        read_small(link)

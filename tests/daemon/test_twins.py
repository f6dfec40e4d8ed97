"""Two inboxes with one output hold the same photo with the same time: each is filed, and neither takes the other's."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.filing import modes
from daemon.photo import Mode, Outcome
from tests.daemon.support import opened_filer, plain, roots, scored, tree, write

PHOTO = plain("red")


@pytest.fixture(params=["one file system", "two file systems"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    inbox, output = roots(tmp_path)
    if request.param == "two file systems":
        elsewhere: Path = request.getfixturevalue("elsewhere")
        output = Path(shutil.move(output, elsewhere / "output"))
    return inbox, output


def overtaken(call: Callable[..., object], twin: Path) -> Callable[..., object]:
    """Return a step before which the other inbox's daemon files its photo under the name that was chosen."""

    def step(mode: Mode, source: Path, identity: object, sha256: str, target: Path, *more: object) -> object:
        if twin.exists():
            shutil.move(twin, target)
        return call(mode, source, identity, sha256, target, *more)

    return step


@pytest.mark.parametrize("mode", Mode)
def test_a_name_that_a_twin_took_meanwhile_is_not_our_success(
    places: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    inbox, output = places
    if mode is Mode.HARDLINK and inbox.stat().st_dev != output.stat().st_dev:
        pytest.skip("a link never spans two file systems")
    ours = write(inbox / "a.jpg", PHOTO, mtime_s=1.5)
    twin = write(tmp_path / "twin", PHOTO, mtime_s=1.5)
    photo = scored(ours)
    monkeypatch.setattr("daemon.filing.transfers.transfer", overtaken(modes.transfer, twin))
    with opened_filer(output, tmp_path / "l", mode=mode) as filer:
        filer.file([photo])
    assert (photo.filing.outcome, photo.filing.destination) == (Outcome.FILED, output / "red" / "a-1.jpg")
    assert {path.name for path in (output / "red").iterdir()} == {"a.jpg", "a-1.jpg"}
    assert ours.exists() == (mode is not Mode.MOVE)


def test_of_two_hard_links_in_two_inboxes_each_keeps_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox, output = roots(tmp_path)
    ours, twin = write(inbox / "a.jpg", PHOTO), tmp_path / "twin"
    twin.hardlink_to(ours)
    monkeypatch.setattr("daemon.filing.transfers.transfer", overtaken(modes.transfer, twin))
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([scored(ours)])
    assert tree(output) == {"red/a.jpg": PHOTO, "red/a-1.jpg": PHOTO}
    assert tree(inbox) == {}


def test_an_error_that_is_no_answer_does_not_make_a_twin_ours(
    places: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, output = places
    ours = write(inbox / "a.jpg", PHOTO, mtime_s=1.5)
    twin = write(tmp_path / "twin", PHOTO, mtime_s=1.5)

    def fails(*_: object) -> None:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr("daemon.filing.transfers.transfer", overtaken(fails, twin))
    photo = scored(ours)
    with opened_filer(output, tmp_path / "l") as filer:
        filer.file([photo])
        assert photo.filing.outcome is Outcome.AGAIN
        assert ours.exists()
        monkeypatch.setattr("daemon.filing.transfers.transfer", modes.transfer)
        filer.file([scored(ours)])
    assert tree(output) == {"red/a.jpg": PHOTO, "red/a-1.jpg": PHOTO}
    assert not ours.exists()

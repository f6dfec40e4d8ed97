"""Root opens no photos: learning for a service becomes the service's user."""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.drawing import draw_scene
from contract.session import open_model
from contract.shipped import SHIPPED_MODEL
from daemon.models.history import Entry, ModelEvent, note
from tests.daemon.house import House, ask

USER = 12345
BECOME = """
import os, sys
from pathlib import Path
from learn.errors import LearnError
from learn.user import become_owner
try:
    become_owner(Path(sys.argv[1]), Path(sys.argv[2]))
except LearnError as error:
    print(error, file=sys.stderr)
print(*os.getresuid(), *os.getresgid(), *os.getgroups(), os.environ["HOME"], os.environ.get("XDG_CACHE_HOME"))
"""


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_becomes_the_owner_of_the_state_folder_for_good_and_leaves_its_own_home_alone(
    room: Path, root: Path
) -> None:
    state, caches = room / "photos", room / "caches"
    for folder in (state, caches, caches / "photos"):
        folder.mkdir()
    for folder in (state, caches / "photos"):
        os.chown(folder, USER, USER + 1)
    done = subprocess.run(
        [sys.executable, "-c", BECOME, state, caches], capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "PYTHONPATH": str(root), "XDG_CACHE_HOME": "/root/.cache", "HOME": "/root"},
    )  # fmt: skip
    user, group = [str(USER)] * 3, [str(USER + 1)] * 3
    assert done.stdout.split() == [*user, *group, str(USER + 1), "/", str(caches / "photos")]
    assert not done.stderr or f"user {USER} cannot run" in done.stderr  # as where Python is in root's home


def _closed(path: Path) -> Path | None:
    """The topmost folder above a path that other users cannot enter."""
    return next((one for one in reversed(path.parents) if not one.stat().st_mode & 0o001), None)


def _opened(room: Path, *places: Path) -> list[str]:
    """Words before a command that make these places readable to every user."""
    shut = [place for place in places if _closed(place)]
    kept = [shlex.quote(str(room / str(number))) for number in range(len(shut))]
    names = [shlex.quote(str(place)) for place in shut]
    lines = [f"mkdir {keep}; mount --bind {place} {keep}" for keep, place in zip(kept, names, strict=True)]
    lines += [f"mount -t tmpfs -o mode=755 none {shlex.quote(str(top))}" for top in {_closed(place) for place in shut}]
    lines += [f"mkdir -p {place}; mount --bind {keep} {place}" for keep, place in zip(kept, names, strict=True)]
    return ["unshare", "--mount", "sh", "-ec", "\n".join([*lines, 'exec "$@"']), "sh"]


@pytest.mark.system("unshare", "mount", root=True)
def test_photos_that_only_root_may_read_are_not_learnt_from_and_what_is_written_is_the_users(
    room: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(room / "states"))
    house = House(room / "house")
    model = open_model(SHIPPED_MODEL, "cpu")
    note(house.path, Entry(time.time(), SHIPPED_MODEL, ModelEvent.STARTED, model.sha256, model.contract.labels))
    (room / "drawn").mkdir()
    photos = [room / "drawn" / f"{seed}.png" for seed in range(12)]
    for seed, photo in enumerate(photos):
        draw_scene("street", seed, (80, 60)).save(photo)
    said = ask("labels", "add", "--class", "drawings", "--new", "--inbox", house.inbox, *photos)
    assert said.exit_code == 0, said.output
    for path in (room / "states").rglob("*"):
        os.chown(path, USER, USER)
    photos[3].chmod(0o600)
    command = [sys.executable, str(root / "phototriage.py"), "learn", "--inbox", str(house.inbox), "--yes"]
    open_to_all = _opened(room, Path(sys.base_prefix), Path(sys.prefix), root)
    done = subprocess.run([*open_to_all, *command], capture_output=True, text=True, timeout=120, cwd="/")
    assert done.returncode == 0, done.stderr
    assert "features of 11 of 12 photos" in done.stdout
    assert "the next start uses" in done.stdout
    assert {path.stat().st_uid for path in house.path.parent.rglob("*")} == {USER}

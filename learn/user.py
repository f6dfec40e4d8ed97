"""Root opens no photos: learning becomes the user whose ledger says where they lie, before it reads any of them."""

import os
import pwd
import sys
from contextlib import suppress
from pathlib import Path

from common.child import give_up_root
from common.text import printable
from learn.errors import LearnError

CACHES = Path("/var/cache/phototriage")
"""Where the daily learning of a service keeps the features of its photos."""


def become_owner(state: Path, caches: Path = CACHES) -> None:
    """Become the owner of a state folder for good, if this is root and the folder is not root's.

    Nothing of root's home is used any more, neither settings nor caches.

    Args:
        state: the folder with the ledger.
        caches: with the folder of a service's cache.

    Raises:
        LearnError: that user cannot run this phototriage.
    """
    owner = state.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    name, home, groups = f"user {owner.st_uid}", "/", [owner.st_gid]
    with suppress(KeyError):  # an owner without an entry, as in containers
        entry = pwd.getpwuid(owner.st_uid)
        name, home, groups = entry.pw_name, entry.pw_dir, os.getgrouplist(entry.pw_name, owner.st_gid)
    give_up_root(owner.st_uid, owner.st_gid, groups)
    for variable in [one for one in os.environ if one.startswith(("XDG_", "SUDO_"))]:
        del os.environ[variable]
    os.environ |= {"HOME": home, "USER": name, "LOGNAME": name, "STATE_DIRECTORY": str(state)}
    if os.access(caches / state.name, os.W_OK | os.X_OK):
        os.environ["XDG_CACHE_HOME"] = str(caches / state.name)
    _check_program(name)


def _check_program(name: str) -> None:
    if os.access(sys.executable, os.X_OK) and os.access(__file__, os.R_OK):
        return
    raise LearnError(
        f"Photos are read by their service's user and not by root, but {printable(name)} cannot run"
        f" {printable(sys.executable)}. Install phototriage where every user can read it, such as /opt/phototriage, and"
        f" run: sudo -u {printable(name)} phototriage learn ..."
    )

"""The state folder: where an inbox's ledger lies, and what else phototriage keeps about the inbox."""

import os
from hashlib import sha256
from pathlib import Path

from common.text import printable
from daemon.files.marker import RootError

LEDGER = "ledger.sqlite"


def state_folder(inbox: Path) -> Path:
    """Return the state folder of an inbox: systemd's state directory, or one in the user's named after the inbox."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return Path(given)
    xdg, home = os.environ.get("XDG_STATE_HOME"), _home()
    if not xdg and home is None:
        raise RootError("There is no home folder for the ledger. Set XDG_STATE_HOME to a folder that can be written.")
    digest = sha256(os.fsencode(inbox)).hexdigest()[:10]
    name = "".join(character if character.isalnum() else "-" for character in printable(inbox.name))[:40]
    states = Path(xdg) if xdg else Path(home or "/") / ".local" / "state"
    return states / "phototriage" / f"{name}-{digest}"


def _home() -> Path | None:
    try:
        return Path.home().resolve()
    except RuntimeError:  # a user without an entry, as in containers
        return None

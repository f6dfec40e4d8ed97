"""Why a ledger cannot be used."""

import sqlite3
from pathlib import Path

from common.errors import PhototriageError
from common.text import printable


class LedgerError(PhototriageError):
    """The ledger cannot be used."""


def unusable(path: Path, error: OSError | sqlite3.Error) -> LedgerError:
    """Return the error for a ledger that cannot be used: cause and cure."""
    if isinstance(error, OSError | sqlite3.OperationalError):
        cure = "Check the folder's permissions, and that its disk is not full."
    else:
        cure = (
            f"Its file is damaged. Move it away and start again: mv {printable(path)} {printable(path)}.damaged. It "
            "holds only the record of past photos, no photo: filed photos stay, but can no longer be undone."
        )
    return LedgerError(f"The ledger {printable(path)} cannot be used: {error}. {cure}")

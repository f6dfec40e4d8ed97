"""Which models may have learnt from a label: those of a ledger that learnt after it was given."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from common.errors import PhototriageError
from daemon.ledger.reader import ask_ledger
from daemon.models.history import entries
from daemon.models.store import MODELS


def learnt_since(ledger: Path, at_s: float) -> Iterator[Path]:
    """Yield the files of models that learnt after a time; one that cannot be read is left out.

    Args:
        ledger: whose models.
        at_s: in seconds since 1970.
    """
    from contract.session import read_contract

    named = {entry.file for entry in ask_ledger(ledger, entries)}
    for file in sorted(named | set((ledger.parent / MODELS).glob("*.onnx"))):
        with suppress(OSError, PhototriageError):
            learned = read_contract(file.read_bytes()).learned
            if learned is not None and datetime.fromisoformat(learned.at).timestamp() >= at_s:
                yield file

"""All or nothing: what is written to a ledger inside one block."""

import sqlite3


class Transaction:
    """Commits at the end of its block, and takes back what was written when that ends by an error.

    Args:
        connection: that commits each statement by itself otherwise.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:  # a full disk may have rolled it back, or may not
                self._connection.execute("ROLLBACK")

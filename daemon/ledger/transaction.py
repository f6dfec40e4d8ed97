"""Transactions of the ledger: all writes of one block, or none."""

import sqlite3


class Transaction:
    """Commits at the end of its block; rolls back after an error.

    Args:
        connection: in autocommit mode.
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

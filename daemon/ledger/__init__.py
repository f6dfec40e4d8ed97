"""The ledger: one row for each photo that is moved, written before and after the move."""

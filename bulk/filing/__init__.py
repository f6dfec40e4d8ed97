"""Results become moves that the ledger records, or copies in another storage."""

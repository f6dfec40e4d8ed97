"""Labels in the ledger: their tables, and the events that people make."""

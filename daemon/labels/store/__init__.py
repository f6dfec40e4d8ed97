"""What the looks keep: places of photos in the ledger, what was seen, and the rows that a look asks for."""

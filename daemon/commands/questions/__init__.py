"""What is known of photos that were filed: history, one photo, a backup of the ledger."""

"""What will bite, found before it does: `phototriage doctor` looks at machine, folders, ledger and model."""

"""Find problems before they occur: `phototriage doctor` checks machine, folders, ledger and model."""

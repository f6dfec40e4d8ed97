"""The commands below `bulk`: they parse options and print results; the rooms beside do the work."""

"""The daemon's commands: they parse options and print results; other packages do the work."""

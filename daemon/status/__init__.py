"""How is the daemon? Counts, stuck stages, the log, and the status for people, scripts and systemd."""

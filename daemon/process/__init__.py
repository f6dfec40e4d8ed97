"""What a process may do: children, signals, restarts, the supervisor, cores and time."""

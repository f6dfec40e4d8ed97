"""Reading, hashing and decoding in child processes: Python's lock is held by one thread of a process at a time."""

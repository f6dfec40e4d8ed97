"""A file's copy on another file system: private while it grows, whole, and with all that belongs to it."""

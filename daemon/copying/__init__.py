"""Copy a file to another file system: private until complete, and with all its metadata."""

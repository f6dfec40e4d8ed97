"""From a file to pixels: one read, its hash, and decoding that no photo can take the daemon down with."""

"""Copies of judged photos in another storage: written, read back and compared; no original is touched."""

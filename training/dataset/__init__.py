"""Folders of labelled photos: what lies in them, how they are split, and the cache of decoded photos."""

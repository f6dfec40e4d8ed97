"""Undo: take photos back to the inbox."""

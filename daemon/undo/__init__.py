"""The way back to the inbox."""

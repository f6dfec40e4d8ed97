"""A day of photos, corrections, learning and refiling with a real daemon."""

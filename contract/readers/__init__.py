"""Read pictures whose file is damaged beside the picture itself, or written in a form that Pillow does not take."""

VERSION = 1
"""Each change of these readers that alters the pixels of a photo needs a new number, because caches hold pixels."""

"""A recipe: what can be set, in which ranges, and how it is read from a file."""

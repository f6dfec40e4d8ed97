"""A recipe: the settings of a training, their ranges, and how a file is read."""

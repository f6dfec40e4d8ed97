"""Refile: move what is filed already to where the model in use would file it."""

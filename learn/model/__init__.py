"""The model file as learning reads and changes it."""

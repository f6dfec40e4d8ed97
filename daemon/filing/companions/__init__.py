"""A photo's companions: those that wait for it, those that come after it, and sidecars that come again."""

"""`phototriage check-data`: what is wrong with a dataset, before a network learns it."""

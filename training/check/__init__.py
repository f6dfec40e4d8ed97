"""`phototriage check-data`: find problems of a dataset before training."""

"""What people said of photos: the labels that an inbox exports, and the photos that they add to a dataset."""

"""What people said of photos: a photo that comes again, or nearly the same one, goes where they put it."""

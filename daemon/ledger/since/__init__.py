"""What became of filed photos: where they are now, and what people said about them."""

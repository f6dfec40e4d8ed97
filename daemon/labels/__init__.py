"""What people say about filed photos: a photo that they move to another class folder is a correction."""

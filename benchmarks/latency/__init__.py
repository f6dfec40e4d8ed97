"""From the drop of a photo to its place under a class, seen from outside."""

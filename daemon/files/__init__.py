"""What may be done with a file: recognize it, name it, rename it without overwriting, open it safely, sync it."""

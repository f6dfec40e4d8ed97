"""What may be done with a file: known again, named, renamed without overwriting, reached, made durable."""

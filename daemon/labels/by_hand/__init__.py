"""What people say by commands, and not by moving photos: answers, labels, imports, and labels taken back."""

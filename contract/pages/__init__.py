"""What pages show of photos."""

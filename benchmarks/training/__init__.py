"""What training promises, each promise in one run."""

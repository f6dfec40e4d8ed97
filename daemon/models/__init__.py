"""Models: which one serves, how a new one takes over without a stop, and the way back."""

"""What becomes of candidates: which are kept, which are known already, and in which order they lie there."""

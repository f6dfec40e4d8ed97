"""One part of a plan in, one part of results out."""

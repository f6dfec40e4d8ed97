"""Where a photo goes and how it gets there: plan, move, and what a crash left."""

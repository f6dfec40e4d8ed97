"""Where a photo goes and how it gets there: plan, move, and recovery after a crash."""

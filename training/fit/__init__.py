"""Training itself: batches, steps, epochs, stages, schedules, and the head on cached features."""

"""Training itself: feeding photos, steps, epochs, schedules and the head on stored features."""

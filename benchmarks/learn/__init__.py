"""What corrections make of a head on stored features, and what the gate says of it: numpy and scipy."""

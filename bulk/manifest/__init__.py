"""What a plan is: which photos there are, in parts that one process judges at a time."""

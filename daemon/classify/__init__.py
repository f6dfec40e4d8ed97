"""From pixels to a class: inference in batches, and the decision."""

"""What a model file promises: input geometry, labels, thresholds, and a session that tells the truth.

The ground floor of the house: imports none of the other rooms.
"""

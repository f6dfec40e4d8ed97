"""The broad network: features that stay broad, learnt from a teacher on photos of all kinds, without labels."""

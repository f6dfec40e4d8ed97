"""Learning: labels of people and a model file become a better head for that model, within seconds and without Keras."""

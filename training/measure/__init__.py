"""Measure a model: predictions, metrics, calibration, and their output."""

"""How good a model is: predictions, metrics, calibration, and what is shown of them."""

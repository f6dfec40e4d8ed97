"""From a run folder to one verified `model.onnx`: export, clean, compare, stamp, publish; or change nothing."""

"""Convert a run folder to one verified `model.onnx`. A conversion that fails changes nothing."""

import contract  # noqa: F401 - must come before any import of onnxruntime, because it turns off its telemetry

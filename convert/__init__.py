"""From a run folder to one verified `model.onnx`: export, clean, compare, stamp, publish; or change nothing."""

import contract  # noqa: F401 - before any module here imports onnxruntime, which must not report to its maker

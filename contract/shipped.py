"""Paths of the model and of the broad network that ship with the package."""

from pathlib import Path

SHIPPED_MODEL = Path(__file__).parent / "models" / "scenes.onnx"
"""It has six scene classes; its card is `scenes.md` beside it."""

SHIPPED_BROAD = Path(__file__).parent / "models" / "broad.npz"
"""The broad network: `train` begins with its weights. Its card is `broad.md` beside it."""

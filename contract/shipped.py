"""Path of the model that ships with the package."""

from pathlib import Path

SHIPPED_MODEL = Path(__file__).parent / "models" / "scenes.onnx"
"""It has six scene classes; its card is `scenes.md` beside it."""

"""Where the model lies that comes with the package."""

from pathlib import Path

SHIPPED_MODEL = Path(__file__).parent / "models" / "scenes.onnx"
"""Six scene classes; its card is `scenes.md` beside it."""

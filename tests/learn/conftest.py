"""Drawn photos, labels of them, and the model that ships."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from common.drawing import draw_scene

Draw = Callable[..., Path]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Return what draws a photo of a kind, as a file."""

    def _draw(kind: str, seed: int) -> Path:
        path = tmp_path / f"{kind}-{seed}.jpg"
        draw_scene(kind, seed, (200, 150)).save(path, quality=90)
        return path

    return _draw


def line(path: Path, said: str, **more: Any) -> str:
    """Return a label as `labels export` writes it."""
    digest = sha256(path.read_bytes()).hexdigest()
    return json.dumps({"sha256": digest, "said": said, "path": str(path), **more})

"""Photos and probabilities that are chosen, so that every figure is known, and a reading of the pages made of them."""

from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from common.drawing import draw_scene
from training.dataset.layout import Photo

LABELS = ("forest", "sea", "street")
HISTORY_TEXT = """epoch,loss,accuracy,log_loss,photos_per_s,seconds,best
0,nan,0.70,0.80,0.0,3.0,True
1,1.20,0.75,0.70,50.0,9.0,True
2,0.90,0.72,0.75,50.0,9.0,False
"""

# Class of each of twelve photos, and what they are taken for, how surely: nine right, and one sure mistake.
TRUE = (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2)
TAKEN = ((0, 0.9), (0, 0.8), (0, 0.7), (1, 0.6), (1, 0.9), (1, 0.9), (1, 0.5), (2, 0.55), (2, 0.9), (2, 0.8), (2, 0.7),
         (0, 0.95))  # fmt: skip


def probabilities(
    taken: Sequence[tuple[int, float]], classes: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Rows with the given winner; the rest is shared evenly."""
    rows = np.empty((len(taken), classes))
    for row, (winner, sure) in zip(rows, taken, strict=True):
        row[:] = (1 - sure) / (classes - 1)
        row[winner] = sure
    return rows


def draw_photos(root: Path, true: Sequence[int], labels: Sequence[str], split: str = "val") -> tuple[Photo, ...]:
    """Draw one small photo a class index, into the folders of its class."""
    photos = []
    for number, label in enumerate(true):
        path = root / labels[label] / f"{number:02d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_scene(("forest", "sea", "street")[label % 3], number, (48, 40)).save(path)
        photos.append(Photo(path, label, split))
    return tuple(photos)


class Page(HTMLParser):
    """What a page holds: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(attribute)) is not None]

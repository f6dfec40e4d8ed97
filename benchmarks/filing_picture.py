"""Draw docs/filing.svg: photos on their way from the inbox to their class folders, animated.

    python -m benchmarks.filing_picture docs/filing.svg

The daemon files the drawn pictures of `phototriage demo`, and the picture shows what it did: which class each got or
that it went to review, how sure the model was, and how long the way took. It moves by CSS alone, and stands still for
readers who ask for that.
"""

import argparse
import base64
import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from common.drawing import KINDS, draw_scene
from daemon.commands.demo import filed_pictures
from daemon.photo import REVIEW_FOLDER

WIDTH, HEIGHT = 760, 378
SIDE = 44
STEP_S, WAY_S, REST_S = 0.9, 0.7, 3.0
"""Time from one photo to the next, of a photo's way, and of the finished picture."""
INBOX_X, FOLDERS_X, TOP, ROW = 24, 400, 34, 48
LOG_Y = HEIGHT - 12

STYLE = """
text { font: 13px ui-monospace, monospace; fill: #1f2328 } .quiet { fill: #57606a }
.box { fill: #f6f8fa; stroke: #d0d7de }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .quiet { fill: #9198a1 } .box { fill: #151b23; stroke: #3d444d }
}
image, .line { animation: var(--way) LOOPs infinite both }
@media (prefers-reduced-motion: reduce) { image { animation: none } .line { animation: none; opacity: 0 } }
"""


def main() -> None:
    """Write the picture to the file that is named."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file", type=Path)
    file = options.parse_args().file
    with tempfile.TemporaryDirectory(prefix="phototriage-picture-") as folder:
        rows = list(filed_pictures(Path(folder)))
    file.write_text(animation(rows), encoding="utf-8")


def animation(rows: list[dict[str, Any]]) -> str:
    """Return the picture as SVG.

    Args:
        rows: the daemon's event of each photo, named `drawn-KIND-NUMBER.jpg`, in the order in which they were dropped.
    """
    loop_s = STEP_S * len(rows) + REST_S
    names = [*sorted(KINDS), REVIEW_FOLDER]
    filed = dict.fromkeys(names, 0)
    moves, photos, lines = [], [], []
    for number, row in enumerate(rows):
        slot, filed[_folder(row)] = filed[_folder(row)], filed[_folder(row)] + 1
        target = FOLDERS_X + 112 + slot * (SIDE + 6), TOP + names.index(_folder(row)) * ROW
        moves.append(_moves(number, target, loop_s))
        photos.append(_photo(number, row, target))
        lines.append(_line(number, row))
    folders = "\n".join(
        f'<rect class="box" x="{FOLDERS_X}" y="{TOP + place * ROW - 2}" width="336" height="{ROW - 2}" rx="6"/>'
        f'<text x="{FOLDERS_X + 12}" y="{TOP + place * ROW + 26}">{name}/</text>'
        for place, name in enumerate(names)
    )
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            "<title>Photos dropped into the inbox move into the folder of their class</title>",
            f"<style>{STYLE.replace('LOOP', f'{loop_s:.1f}')}{''.join(moves)}</style>",
            f'<text class="quiet" x="{INBOX_X}" y="20">inbox/</text>',
            f'<text class="quiet" x="{FOLDERS_X}" y="20">sorted/</text>',
            f'<rect class="box" x="{INBOX_X}" y="{TOP - 2}" width="200" height="{ROW * len(names) - 2}" rx="6"/>',
            folders,
            *photos,
            *lines,
            "</svg>\n",
        )
    )


def _folder(row: dict[str, Any]) -> str:
    return Path(row["destination"]).parent.name


def _moves(number: int, target: tuple[int, int], loop_s: float) -> str:
    """Return the keyframes of one photo and of its line: it appears in the inbox, and moves."""
    begins, goes, ends = (100 * (number * STEP_S + after) / loop_s for after in (0.0, 0.25, WAY_S))
    home = INBOX_X + 78 - target[0], TOP + 2.5 * ROW - target[1]
    away = f"transform: translate({home[0]}px, {home[1]}px)"
    said = 100 * ((number + 1) * STEP_S + 0.2) / loop_s
    return (
        f"@keyframes p{number} {{ 0%, {begins:.2f}% {{ opacity: 0; {away} }} {begins + 0.4:.2f}%, {goes:.2f}% "
        f"{{ opacity: 1; {away} }} {ends:.2f}%, 99% {{ opacity: 1; transform: none }} 100% {{ opacity: 0 }} }}\n"
        f"@keyframes l{number} {{ 0%, {ends - 0.1:.2f}% {{ opacity: 0 }} {ends:.2f}%, {said:.2f}% {{ opacity: 1 }} "
        f"{said + 0.1:.2f}%, 100% {{ opacity: 0 }} }}\n"
    )


def _photo(number: int, row: dict[str, Any], target: tuple[int, int]) -> str:
    kind, seed = Path(row["path"]).stem.removeprefix("drawn-").rsplit("-", 1)
    small = io.BytesIO()
    draw_scene(kind, int(seed) - 1).resize((2 * SIDE, 2 * SIDE), Image.Resampling.LANCZOS).save(small, "JPEG")
    data = base64.b64encode(small.getvalue()).decode()
    return (
        f'<image style="--way: p{number}" x="{target[0]}" y="{target[1]}" width="{SIDE}" height="{SIDE - 2}" '
        f'preserveAspectRatio="xMidYMid slice" href="data:image/jpeg;base64,{data}"/>'
    )


def _line(number: int, row: dict[str, Any]) -> str:
    said = f"{Path(row['path']).name} -> {_folder(row)} {row['probability']:.2f} {row['times_ms']['total']:.0f} ms"
    return f'<text class="line" style="--way: l{number}" x="{INBOX_X}" y="{LOG_Y}">{said.replace(">", "&gt;")}</text>'


if __name__ == "__main__":
    main()

"""The chart of a day: shares of photos in the right folder, with learning and without; for light and dark pages."""

from collections.abc import Iterator, Sequence

from benchmarks.told import Row

LEFT, TOP, WIDTH, HEIGHT, LEAST = 48, 40, 520, 180, 0.85
LINES = {"right": ("ours", "corrected, learnt, refiled"), "right without": ("other", "corrected alone")}
TITLE = "Share of photos in the right folder, as they come"
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a } .strong { fill: #1f2328; font-weight: 600 }
.grid { stroke: #d0d7de } polyline { fill: none; stroke-width: 2.5 }
.ours { stroke: #0969da } .other { stroke: #8c959f }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1 } .strong { fill: #f0f6fc } .grid { stroke: #3d444d }
  .ours { stroke: #1f6feb } .other { stroke: #6e7681 }
}"""


def chart(rows: Sequence[Row]) -> str:
    """Draw the shares of both houses after each hundred of photos."""
    most = max(row["photos"] for row in rows)
    parts = [f'<text class="strong" x="{LEFT}" y="18">{TITLE}</text>', *_grid(most)]
    for name, (kind, words) in LINES.items():
        points = [(LEFT + WIDTH * row["photos"] / most, _y(float(row[name]))) for row in rows]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="{kind}" points="{line}"/>')
        below = 18 if kind == "other" else -10
        x, y = points[-1]
        parts.append(f'<text class="strong" x="{x:.1f}" y="{y + below:.1f}" text-anchor="end">{words}</text>')
    width, height = LEFT + WIDTH + 24, TOP + HEIGHT + 36
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n<title>{TITLE}</title>'
    return f"{head}\n<style>{STYLE}\n</style>\n{body}\n</svg>\n"


def _grid(most: int) -> Iterator[str]:
    for share in (0.85, 0.9, 0.95, 1.0):
        y = _y(share)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + WIDTH}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{share:.2f}</text>'
    yield f'<text x="{LEFT + WIDTH}" y="{TOP + HEIGHT + 22}" text-anchor="end">{most:,} photos</text>'


def _y(share: float) -> float:
    return TOP + HEIGHT * (1 - (max(share, LEAST) - LEAST) / (1 - LEAST))

"""The chart of the throughput benchmark: an SVG that reads on a light and on a dark page."""

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from benchmarks.throughput.takers import BOUNDS, DAEMON, DATASET, LOOP, PREDICT
from benchmarks.told import Row

NAMES = {
    "small": "100 px JPEG",
    "2mp": "2 MP JPEG",
    "12mp": "12 MP JPEG",
    "progressive": "2 MP progressive",
    "png": "2 MP PNG",
    "webp": "2 MP WebP",
    "mix": "all of these",
}
TAKERS = {DAEMON: "ours", LOOP: "loop", DATASET: "batches", PREDICT: "single"}
LEFT, WIDTH, BAR, GAP, TOP, ROOM = 136, 480, 15, 14, 58, 104
TITLE = "Photos per second, as shares of what the machine's cores can do"
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #57606a } .strong { fill: #1f2328; font-weight: 600 }
.number { font-size: 11px } .inside { fill: #ffffff }
.ours { fill: #0969da } .loop { fill: #8c959f } .batches { fill: #bf8700 } .single { fill: #cf222e }
line { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1 } .strong { fill: #f0f6fc } line { stroke: #f0f6fc }
  .ours { fill: #1f6feb } .loop { fill: #6e7681 } .batches { fill: #d29922 } .single { fill: #f85149 }
  .inside { fill: #ffffff }
}"""


def chart(rows: Sequence[Row], caption: str) -> str:
    """Draw the rates of each mix as shares of the bound; the numbers at the bars are photos per second."""
    mixes = list(dict.fromkeys(row["mix"] for row in rows))
    parts, at = [], TOP
    for mix in mixes:
        of_mix = {row["taker"]: row["photos/s"] for row in rows if row["mix"] == mix}
        takers = [taker for taker in TAKERS if taker in of_mix]
        bound = max(of_mix[name] for name in BOUNDS)
        name_y = at + len(takers) * BAR / 2 + 4
        parts.append(
            f'<text class="strong" x="{LEFT - 10}" y="{name_y:g}" text-anchor="end">{escape(NAMES[mix])}</text>'
        )
        for taker in takers:
            parts += _bar(TAKERS[taker], of_mix[taker], of_mix[taker] / bound, at)
            at += BAR
        at += GAP
    line = LEFT + WIDTH
    parts.append(f'<line x1="{line}" y1="{TOP - 8}" x2="{line}" y2="{at - GAP + 4}"/>')
    parts.append(
        f'<text class="strong" x="{line}" y="{TOP - 14}" text-anchor="middle">all that the cores can do</text>'
    )
    parts.append(f'<text x="8" y="{at + 12}">{escape(caption)}</text>')
    parts += _legend()
    size = f'width="{line + ROOM}" height="{at + 24}" viewBox="0 0 {line + ROOM} {at + 24}"'
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n<title>{TITLE}</title>'
    return f"{head}\n<style>{STYLE}\n</style>\n{body}\n</svg>\n"


def _bar(kind: str, rate: float, share: float, at: float) -> Iterator[str]:
    width = max(1.0, min(share, 1.1) * WIDTH)
    yield f'<rect class="{kind}" x="{LEFT}" y="{at:g}" width="{width:.1f}" height="{BAR - 2}" rx="2"/>'
    number = f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
    if kind == "ours":
        yield f'<text class="number inside" x="{LEFT + 8}" y="{at + BAR - 5:g}">{number} photos/s</text>'
    else:
        yield f'<text class="number" x="{LEFT + width + 6:.1f}" y="{at + BAR - 5:g}">{number}</text>'


def _legend() -> Iterator[str]:
    at = 8
    for taker, kind in TAKERS.items():
        yield f'<rect class="{kind}" x="{at}" y="8" width="12" height="12" rx="2"/>'
        yield f'<text x="{at + 18}" y="18">{escape(taker)}</text>'
        at += 40 + 7 * len(taker)

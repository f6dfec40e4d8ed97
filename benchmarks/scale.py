"""Does the daemon slow down, or grow, with what lies in the inbox?

    python -m benchmarks.scale

`phototriage sort` over inboxes of 1,000, 10,000 and 100,000 tiny photos, with a model that takes next to no time, so
that what is measured is finding, filing and recording. Each inbox, output and ledger is new. `first s` is from ready to
the first photo in its class's folder, by the kernel's word, and the rate is from there to the end of the process;
memory is the process's highest. Needs the package onnx, to make the model; 100,000 photos take some minutes.
"""

import argparse
import itertools
import os
import time
from io import BytesIO
from pathlib import Path

from PIL import Image

from benchmarks.common import finish, parser, tell, workplace
from benchmarks.latency.sight import Sight
from benchmarks.told import Row, Told
from benchmarks.watched import Watched, phototriage
from tests.colour_model import LABELS, colour_model

SIZES = (1_000, 10_000, 100_000)
MEANING = "The largest inbox over the smallest: 1 is flat."


def main() -> None:
    options = parser("scale", __doc__, "up to 5,000 photos")
    options.add_argument("--most", type=int, default=SIZES[-1], help="photos in the largest inbox")
    arguments = options.parse_args()
    most = min(arguments.most, 5_000) if arguments.short else arguments.most
    finish("scale", arguments, measured(arguments, [size for size in SIZES if size < most] + [most]))


def measured(arguments: argparse.Namespace, sizes: list[int]) -> Told:
    """One row for each inbox."""
    rows = []
    with workplace(arguments.work, "scale") as place:
        model = place / "colours.onnx"
        model.write_bytes(colour_model())
        for size in sizes:
            tell(f"{size} photos")
            rows.append(_row(place / str(size), model, size))
    few, many = rows[0], rows[-1]
    figure = {f"{what}, ratio": round(many[what] / few[what], 2) for what in ("photos/s", "first s", "peak MB")}
    return Told(rows, figure, MEANING)


def fill(inbox: Path, count: int) -> None:
    """Put in `count` photos of 24 x 24 pixels, no two alike: what follows a JPEG's end is not read."""
    inbox.mkdir(parents=True)
    pictures = []
    for colour in LABELS:
        out = BytesIO()
        Image.new("RGB", (24, 24), colour).save(out, "JPEG")
        pictures.append(out.getvalue())
    for number, picture in zip(range(count), itertools.cycle(pictures), strict=False):
        (inbox / f"{number:07d}.jpg").write_bytes(picture + f"photo {number}".encode())
    os.sync()


def _row(place: Path, model: Path, count: int) -> Row:
    inbox, output = place / "in", place / "out"
    fill(inbox, count)
    folders = [output / label for label in LABELS]
    for folder in folders:
        folder.mkdir(parents=True)
    sight = Sight(folders)
    process = Watched(phototriage("sort", inbox, output, model, "--quiet"), place / "process")
    ready_s = process.until_ready()
    first_s = sight.seen(60.0)[0]
    sight.close()
    while not process.ended():
        time.sleep(0.02)
    end_s = time.monotonic()
    if filed := sum(1 for folder in folders for _ in folder.iterdir()) - count:
        raise SystemExit(f"of {count} photos, {filed:+d} were filed")
    return {
        "photos": count,
        "photos/s": round(count / (end_s - first_s), 1),
        "first s": round(first_s - ready_s, 3),
        "CPU ms a photo": round(1e3 * process.cpu_s / count, 3),
        "peak MB": round(process.peak_mb, 1),
    }


if __name__ == "__main__":
    main()

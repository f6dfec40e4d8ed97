"""What do pseudo-labels bring, with few labels and with more?

For each row, random photos of SHARED/{scenes,clothing}/train are labelled, the others have no label, and all photos of
the test folder are measured. `alone` is the accuracy of the head that learns from the labels. The other columns are
points more than that: `recipe` by the rule that ships, and in its worst draw; `every answer` joins all answers to the
same photos; `with strangers` is the recipe again, where the pictures of SHARED/foreign lie among the photos without
labels. --tune fine-tunes draws, too: the default recipe learns from labels alone, and from labels and pseudo-labels as
if all were labels, and up to 600 photos of the test folder choose and judge. --short needs no photos.
"""

import argparse
import os
from pathlib import Path
from statistics import fmean

from benchmarks.common import tell
from benchmarks.told import Row, Told
from benchmarks.training.drawn import draw_photos
from benchmarks.training.pseudo_photos import Draw, Pictures, described_pictures, fine_tuned

COUNTS, SHORT = (5, 20, 50), (2,)


def add_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("shared", nargs="?", type=Path, help="folder that holds scenes, clothing and foreign")
    options.add_argument("--draws", type=int, default=5, help="of each row: 5")
    options.add_argument("--labels", type=int, nargs="+", default=list(COUNTS), help="of a class: 5 20 50")
    options.add_argument("--only", choices=("scenes", "clothing"), help="photos of one folder")
    options.add_argument("--tune", type=int, default=0, help="draws of each row that are fine-tuned: minutes each")


def run(arguments: argparse.Namespace) -> Told:
    if arguments.shared is None and not arguments.short:
        raise SystemExit("Pass the folder that holds scenes, clothing and foreign, or --short.")
    place = (arguments.work / ("pseudo-short" if arguments.short else "pseudo")).absolute()
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    if arguments.short:
        pictures = described_pictures(draw_photos(arguments.work, 300))
        rows = [_row("drawn", count, [Draw.of(pictures, count, 0)], pictures) for count in SHORT]
        return Told(rows, {"gain": rows[0]["recipe"]}, "A look at whether it works.")
    root, rows = arguments.shared.absolute(), []
    strangers = described_pictures(root / "foreign")
    for name in [arguments.only] if arguments.only else ("scenes", "clothing"):
        pictures = described_pictures(root / name)
        for count in arguments.labels:
            tell(f"{name}, {count} labels a class")
            draws = [Draw.of(pictures, count, seed) for seed in range(arguments.draws)]
            rows.append(_row(name, count, draws, strangers))
            for seed, draw in enumerate(draws[: arguments.tune]):
                rows[-1] |= fine_tuned(draw, place / "tuned" / f"{name}-{count}-{seed}", seed)
    least = min(row["worst"] for row in rows)
    meaning = "Accuracy on the test photos; then points more than the labels alone, on the mean of the draws."
    return Told(rows, {"worst draw": least}, meaning)


def _row(name: str, count: int, draws: list[Draw], strangers: Pictures) -> Row:
    found = [(draw.alone, draw.recipe(), draw.every_answer(), draw.recipe(strangers)) for draw in draws]
    alone = [one.accuracy for one, *_ in found]

    def gain(place: int) -> list[float]:
        return [100 * (results[place].accuracy - results[0].accuracy) for results in found]

    return {
        "photos": name,
        "labels a class": count,
        "draws": len(draws),
        "alone": round(fmean(alone), 4),
        "recipe": round(fmean(gain(1)), 1),
        "worst": round(min(gain(1)), 1),
        "pseudo-labels": round(fmean(each.joined for _, each, *_ in found)),
        "of them right": round(fmean(each.right for _, each, *_ in found), 3),
        "every answer": round(fmean(gain(2)), 1),
        "with strangers": round(fmean(gain(3)), 1),
    }

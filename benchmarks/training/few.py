"""What does the default training make of few photos, and does `--review-below auto` keep its word?

For each row, random photos of SHARED/{scenes,clothing}/train teach the default recipe, and all photos of the test
folder are measured. `filed` are the test photos that the thresholds of the run would file: the share of right ones
among them (0.95 is promised) and their share of all. The oracle's threshold is chosen on the test photos themselves.
Finished trainings in WORK are measured again and not trained again; a killed one resumes. Start anew by removing
WORK/few. Rows of many photos take minutes a draw. --short needs no photos.
"""

import argparse
import os
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.common import tell
from benchmarks.told import Row, Told
from benchmarks.training.drawn import draw_photos
from benchmarks.training.filed import measured
from benchmarks.training.subsets import ROWS, SHORT, Photos, Subsets, by_class

LOWER_IS_BETTER = ("log loss",)
PRECISION, KEPT = "filed: right", "fine-tuning kept"


def add_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("shared", nargs="?", type=Path, help="folder that holds scenes and clothing")
    options.add_argument("--draws", type=int, default=10, help="of each row; rows of many photos take at most 3")
    options.add_argument("--only", action="append", choices=list(ROWS), metavar="ROW", help=f"one of {', '.join(ROWS)}")


def run(arguments: argparse.Namespace) -> Told:
    if arguments.shared is None and not arguments.short:
        raise SystemExit("Pass the folder that holds scenes and clothing, or --short.")
    place = (arguments.work / ("few-short" if arguments.short else "few")).absolute()
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    rows: list[Row] = []
    for name in [SHORT] if arguments.short else arguments.only or ROWS:
        subsets = Subsets(place, *_photos(arguments, name))
        draws = 1 if arguments.short else min(arguments.draws, ROWS[name].most_draws)
        found = []
        for draw in range(draws):
            tell(f"{name}, draw {draw + 1} of {draws}")
            found.append(measured(subsets.trained(name, draw)))
        rows += summed(name, found)
    missed = max(0.95 - (row[PRECISION] or 1.0) for row in rows if row["of the draws"] == "mean")
    meaning = "Where 0.95 is promised, the most by which the mean precision of a row stays below it; 0.01 is allowed."
    return Told(rows, {"missed": round(max(missed, 0.0), 4)}, meaning)


def _photos(arguments: argparse.Namespace, name: str) -> tuple[Photos, Photos]:
    """The photos that may teach, and those that are measured."""
    if arguments.short:
        drawn = by_class(draw_photos(arguments.work, 300))
        return {label: files[::2] for label, files in drawn.items()}, {
            label: files[1::2] for label, files in drawn.items()
        }
    folder = arguments.shared.absolute() / ROWS[name].folder
    return by_class(folder / "train"), by_class(folder / "test")


def summed(name: str, draws: list[dict[str, Any]]) -> list[Row]:
    """Mean and worst of the draws, figure by figure; draws that have no such figure do not count."""
    rows: list[Row] = [{"photos": name, "draws": len(draws), "of the draws": what} for what in ("mean", "worst")]
    for figure in draws[0]:
        values = [draw[figure] for draw in draws if draw[figure] is not None]
        if figure == KEPT:
            mean, worst = sum(values), None
        else:
            mean = round(fmean(values), 4) if values else None
            worst = (max if figure in LOWER_IS_BETTER else min)(values, default=None)
        rows[0][figure], rows[1][figure] = mean, worst
    return rows

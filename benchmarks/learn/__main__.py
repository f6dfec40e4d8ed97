"""What do a few labels make of a model, in seconds and without TensorFlow, and does the gate notice harm?

    python -m benchmarks.learn owner SHARED       an owner corrects 3, 12 or all mistakes among 400 filed photos
    python -m benchmarks.learn classes SHARED     a seventh class from 10 and 20 photos
    python -m benchmarks.learn own SHARED         ten classes of one's own on the broad network alone
    python -m benchmarks.learn gate SHARED        labels that must be refused, and heads that must not
    python -m benchmarks.learn cost SHARED        seconds and memory of 10,000 remembered photos
    python -m benchmarks.learn settings SHARED    what the settings were chosen by: no test photo, none of `outdoor`

SHARED holds scenes, outdoor, clothing and foreign. Features of all photos are computed once, in two minutes, and kept
in WORK/learn. The settings were chosen before, on cameras made from validation photos; test photos, `outdoor`,
receipts, rooms and the clothing test photos are only reported. Here alone may something learn from `outdoor`.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import add_model, add_options, finish
from benchmarks.learn import choice, corrections, cost, new_class, own_classes, verdicts
from benchmarks.learn.features import Store
from benchmarks.told import Told

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _owner(store: Store, arguments: argparse.Namespace) -> Told:
    return corrections.measured(store, arguments.inbox or [corrections.OUTDOOR, corrections.SCENES], arguments.draws)


PARTS: dict[str, tuple[str, int, Callable[[Store, argparse.Namespace], Told]]] = {
    "owner": ("an owner corrects mistakes", 20, _owner),
    "classes": ("a seventh class", 10, lambda store, given: new_class.measured(store, given.draws)),
    "own": ("ten classes of one's own", 5, lambda store, given: own_classes.measured(store, given.draws)),
    "gate": ("what the gate refuses", 20, lambda store, given: verdicts.measured(store, given.draws)),
    "settings": ("what the settings were chosen by", 5, lambda store, given: choice.measured(store, given.draws)),
    "cost": ("seconds and memory", 1, lambda store, given: cost.measured(store, given.work / "learn", given.short)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True, metavar="PART", dest="part")
    for name, (told, draws, _) in PARTS.items():
        options = parts.add_parser(name, help=told, description=told)
        options.add_argument("shared", type=Path, help="folder that holds scenes, outdoor, clothing and foreign")
        options.add_argument("--draws", type=int, default=draws, help=f"of each row: {draws}")
        if name == "owner":
            options.add_argument("--inbox", action="append", choices=(corrections.OUTDOOR, corrections.SCENES))
        add_options(options, "two draws: no figures")
        add_model(options)
    arguments = parser.parse_args()
    if arguments.short:
        arguments.draws = min(2, arguments.draws)
    store = Store(arguments.shared, arguments.model, arguments.work / "learn")
    finish(f"learn {arguments.part}", arguments, PARTS[arguments.part][2](store, arguments))


if __name__ == "__main__":
    main()

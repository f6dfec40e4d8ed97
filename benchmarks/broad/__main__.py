"""Make the broad network that ships, and judge it beside its teacher.

    python -m benchmarks.broad list SHARED      print the photos that the shipped network learns from
    python -m benchmarks.broad table SHARED     teacher and network, by strangers, few labels and near copies
    python -m benchmarks.broad copies SHARED    which changed copies training finds, and what it joins without any

SHARED holds scenes, clothing, outdoor, foreign and sharp. The shipped network is made by

    python -m benchmarks.broad list SHARED > photos.txt
    phototriage train-broad photos.txt --output contract/models/broad.npz

What the columns mean stands in docs/broad-network.md.
"""

import argparse
import os
from pathlib import Path

from benchmarks.broad.near_copies import show_near_copies
from benchmarks.broad.photos import PhotoSets
from benchmarks.broad.table import measure_all
from benchmarks.common import add_options, finish, workplace
from contract.shipped import SHIPPED_BROAD

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True, metavar="PART", dest="part")
    names = parts.add_parser("list", help="print the photos that the shipped network learns from")
    names.add_argument("shared", type=Path)
    copies = parts.add_parser("copies", help="measure the search for near copies")
    copies.add_argument("shared", type=Path)
    table = parts.add_parser("table", help="measure teacher and network")
    table.add_argument("shared", type=Path)
    table.add_argument("--broad", type=Path, default=SHIPPED_BROAD, help="by default the one that ships")
    table.add_argument("--sizes", type=int, nargs="+", default=[128, 160, 192], help="sides of the input")
    add_options(table, "one size, one draw of labels: no figures")
    arguments = parser.parse_args()
    if arguments.part == "list":
        print("\n".join(str(path) for path in PhotoSets(arguments.shared.resolve()).learnt_from()))
        return
    if arguments.part == "copies":
        show_near_copies(arguments.shared.resolve())
        return
    with workplace(arguments.work, "broad") as place:
        finish("broad table", arguments, measure_all(arguments, place))


if __name__ == "__main__":
    main()

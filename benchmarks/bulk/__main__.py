"""How much of the machine does `phototriage bulk` get, and how soon is the first part judged?

    python -m benchmarks.bulk plan     a million photos listed, ten million named: time and memory
    python -m benchmarks.bulk local    `bulk run --engine local` over the bound of the cores, on the same photos
    python -m benchmarks.bulk first    from the command to the first part of a plan of ten million rows
    python -m benchmarks.bulk kills    workers and drivers killed at random: every photo once, as without kills
    python -m benchmarks.bulk ray      `bulk run --engine ray` over local and the bound, and what a second node brings

Needs the extra `bulk`. Each part takes --json for scripts, --short for a look at whether it works, and --help.
"""

from benchmarks.bulk import first, kills, local, plan, ray
from benchmarks.common import run_part

PARTS = {"plan": plan, "local": local, "first": first, "kills": kills, "ray": ray}

if __name__ == "__main__":
    run_part("bulk", __doc__, PARTS, "few photos: rough")

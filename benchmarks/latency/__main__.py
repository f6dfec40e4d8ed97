"""How long is it from the drop of a photo to its place under a class?

A photo is moved in whole, copied, or written slowly; it counts from the moment in which it is whole (before the move,
after the writer's close) to that in which the kernel tells of its name in a class's folder, which this program watches.
At rest photos come one by one; under load while a backlog of the same photos is worked off.

Beside `phototriage watch`: a naive daemon (watchdog as it comes, decode, infer and shutil.move in its handler), whose
backlog is moved in at once, since it does not see what lay there before; the photo's own work, which is its read,
hash, decode and inference, done by this program in the same rhythm; and the disk's fsync of a new file of that size.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common import add_model, finish, parser, tell, workplace
from benchmarks.latency.drops import LOST_S, SLOWLY_S, UNDER_LOAD_S, WAYS, Dropper, fsync_s, own_work_s
from benchmarks.latency.sight import Sight
from benchmarks.photos import DISTINCT, backlog, made
from benchmarks.told import Row, Told
from benchmarks.watched import Watched, phototriage
from contract.session import Model, open_model
from daemon.process.cores import usable_cores

OURS, NAIVE = "phototriage watch", "naive watchdog"
MEANING = (
    "`x own` is the median over that of the photo's own work; 1.5 is wanted of a photo moved in at rest, and 50 ms at"
    " most of its p99. A photo that is written waits until it has not changed for a moment, which is in these times."
)


@dataclass
class Own:
    """What is measured between the drops at rest, in seconds."""

    model: Model
    folder: Path
    work_s: list[float] = field(default_factory=list)
    fsync_s: list[float] = field(default_factory=list)

    def measure(self, photo: Path) -> None:
        """Once more."""
        self.work_s.append(own_work_s(self.model, photo))
        self.fsync_s.append(fsync_s(self.folder, photo.stat().st_size))


@dataclass(frozen=True)
class Scene:
    """Who is dropped upon, and with what."""

    who: str
    way: str
    load: int
    drops: int
    photos: Sequence[Path]
    model: Path


def main() -> None:
    options = parser("latency", __doc__, "12 drops of each way: rough")
    options.add_argument("--drops", type=int, default=100, help="of each way, at rest and under load")
    options.add_argument("--ways", default=",".join(WAYS), help=f"some of {','.join(WAYS)}")
    options.add_argument("--backlog", type=int, default=0, metavar="N", help="photos, instead of as many as last")
    options.add_argument("--kind", choices=list(DISTINCT), default="small", help="of photo")
    options.add_argument("--photos", type=Path, help="folder of photos to make others from: ../shared/scenes/test")
    add_model(options)
    arguments = options.parse_args()
    if arguments.short:
        arguments.drops = min(arguments.drops, 12)
    finish("latency", arguments, measured(arguments))


def measured(arguments: argparse.Namespace) -> Told:
    """All ways, at rest and under load."""
    photos = made(arguments.work, arguments.kind, arguments.photos)
    rows: list[Row] = []
    with workplace(arguments.work, "latency") as place:
        own = Own(open_model(arguments.model, "cpu"), place)
        tight_s = statistics.median([own_work_s(own.model, photos[0]) for _ in range(30)][5:])
        taken: list[tuple[Scene, list[float]]] = []
        for loaded in (False, True):
            for way in arguments.ways.split(","):
                for who in (OURS, NAIVE):
                    load = (arguments.backlog or _lasting(way, arguments.drops, tight_s)) if loaded else 0
                    scene = Scene(who, way, load, arguments.drops, photos, arguments.model)
                    tell(f"{who}, {way}, {'behind a backlog' if loaded else 'at rest'}")
                    taken.append((scene, _drop(scene, place / f"{len(taken)}", own)))
        base_ms = 1e3 * statistics.median(own.work_s)
        rows = [_row(scene.who, scene, seconds, base_ms) for scene, seconds in taken]
        rows.append(_row("its own work", None, own.work_s, base_ms))
        rows.append(_row("own work, nothing else between", None, [tight_s], base_ms))
        rows.append(_row("fsync of a new file", None, own.fsync_s, base_ms))
    figure = {"moved in at rest, x own": rows[0]["x own"], "p99 ms": rows[0]["p99 ms"]}
    return Told(rows, figure, MEANING)


def _lasting(way: str, drops: int, own_s: float) -> int:
    """How many photos keep all cores busy for as long as the drops take."""
    each_s = UNDER_LOAD_S + (SLOWLY_S if way == "written slowly" else 0.0)
    return round(1.3 * (1.0 + drops * each_s) * usable_cores() / own_s)


def _row(who: str, scene: Scene | None, seconds: Sequence[float], base_ms: float) -> Row:
    ordered = sorted(1e3 * each for each in seconds)

    def at(share: float) -> float | None:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None

    return {
        "who": who,
        "photo": scene.way if scene else None,
        "load": (f"backlog of {scene.load}" if scene.load else "at rest") if scene else None,
        "times": len(seconds),
        "p50 ms": at(0.5),
        "p95 ms": at(0.95),
        "p99 ms": at(0.99),
        "x own": round(statistics.median(ordered) / base_ms, 2) if ordered else None,
    }


def _drop(scene: Scene, place: Path, own: Own) -> list[float]:
    """Seconds of each drop; under load, of those that came while the backlog lasted."""
    inbox, waiting, output = place / "in", place / "waiting", place / "out"
    backlog(scene.photos, scene.drops, waiting)
    before = scene.who == OURS and scene.load > 0
    backlog(scene.photos, scene.load, inbox if before else place / "load")
    inbox.mkdir(exist_ok=True)
    folders = [output / label for label in own.model.contract.labels]
    for folder in folders:
        folder.mkdir(parents=True)
    dropped = [path.rename(path.with_name(f"drop-{path.name}")) for path in sorted(waiting.iterdir())]
    sight = Sight(folders)
    process = Watched(_command(scene, inbox, output), place / "process")
    try:
        process.until_ready()
        if scene.load:
            _begin_load(place / "load", inbox, sight)
        dropper = Dropper(dropped, inbox, WAYS[scene.way], None if scene.load else own.measure)
        return _seen(dropper, sight, scene)
    finally:
        process.stop()
        sight.close()


def _command(scene: Scene, inbox: Path, output: Path) -> list[str]:
    if scene.who == OURS:
        return phototriage("watch", inbox, output, scene.model)
    return [sys.executable, "-m", "benchmarks.latency.naive", str(inbox), str(output), str(scene.model)]


def _begin_load(load: Path, inbox: Path, sight: Sight) -> None:
    for path in sorted(load.glob("*")):
        path.rename(inbox / path.name)
    if not sight.seen(LOST_S)[1]:
        raise SystemExit("nothing of the backlog was filed")


def _seen(dropper: Dropper, sight: Sight, scene: Scene) -> list[float]:
    filed_s: dict[str, float] = {}
    loaded_s, left = time.monotonic(), scene.load - 1
    dropper.start()
    last_s = time.monotonic()
    while dropper.is_alive() or len(filed_s) < len(dropper.whole_s):
        now_s, names = sight.seen(0.05)
        last_s = now_s if names else last_s
        for name in names:
            if name.startswith("drop-"):
                filed_s[name] = now_s
                dropper.seen.set()
            else:
                loaded_s, left = now_s, left - 1
        if now_s - last_s > LOST_S:
            raise SystemExit(f"{scene.who} filed nothing for {LOST_S:.0f} s, and photos wait")
    dropper.join()
    counted = {name for name, at_s in dropper.whole_s.items() if not scene.load or at_s <= loaded_s}
    return [filed_s[name] - dropper.whole_s[name] for name in sorted(counted)]


if __name__ == "__main__":
    main()

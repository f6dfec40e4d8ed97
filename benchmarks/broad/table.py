"""The table: each network at each size, by what its features are good for."""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.broad.copies import CLOSE, COPIES, copied, false_share
from benchmarks.broad.measure import Features, few_labels, fit_familiarity, ranking
from benchmarks.broad.photos import KINDS, PhotoSets, pixels
from benchmarks.common import tell
from benchmarks.told import Row, Told
from contract.geometry import Pixels
from training.measure.metrics import wilson
from training.network.broad_network import embed, fit_projection, read_broad, unit_length
from training.network.weights import find_weights

LABELS = (1, 5, 20)
SIZES = (64, 128, 256)
Labelled = tuple[Features, NDArray[np.str_]]
JUDGED = ("receipts", "screens", "things", "rooms")
SMALL_PX = 100
COPIED = 300
TIMED = 40


def measure_all(arguments: argparse.Namespace, place: Path) -> Told:
    """Measure the teacher and the network at every size."""
    from training.network.device import start_keras

    start_keras()
    sets = PhotoSets(arguments.shared.resolve())
    networks = {"teacher": find_weights("MobileNetV2"), f"broad {read_broad(arguments.broad).id}": arguments.broad}
    sizes = arguments.sizes[:1] if arguments.short else arguments.sizes
    rows = []
    for name, file in networks.items():
        for size in sizes:
            tell(f"{name} at {size} px")
            rows.append(_row(name, file, size, sets, 1 if arguments.short else 5, place))
    own = next(row for row in rows if row["network"] != "teacher")
    return Told(
        _turned(rows),
        {"strangers passed, 100 px": float(own["strangers passed, 100 px"])},
        f"Share of pictures of no class that would be filed where 98 % of scene photos are kept, at {sizes[0]} px.",
    )


def _turned(rows: list[Row]) -> list[Row]:
    """Networks as columns: there are more measures than networks."""
    heads = [f"{row['network']}, {row['px']} px" for row in rows]
    names = [name for name in rows[0] if name not in ("network", "px")]
    return [{"": name} | dict(zip(heads, [row[name] for row in rows], strict=True)) for name in names]


def _row(name: str, file: Path, size: int, sets: PhotoSets, seeds: int, place: Path) -> Row:
    from training.network.network import broad_features

    model = broad_features(size, file)

    def features(photos: Pixels) -> Features:
        parts = [model.predict_on_batch(photos[start : start + 64]) for start in range(0, len(photos), 64)]
        return unit_length(np.concatenate(parts))

    row: Row = {"network": name, "px": size}
    scenes, classes = sets.labelled("scenes", "train")
    learnt = features(pixels(scenes, size))
    tested, truths = sets.labelled("scenes", "test")
    test_pixels = pixels(tested, size)
    test = features(test_pixels)
    familiarity, held = fit_familiarity(learnt, classes)
    for shrunk in (0, SMALL_PX):
        at = f", {shrunk} px" if shrunk else ""
        found = {kind: features(pixels(sets.foreign(kind), size, shrunk)) for kind in KINDS}
        row |= {f"{kind} passed{at}": _share(familiarity.kept(found[kind])) for kind in KINDS}
        strangers = np.concatenate([found[kind] for kind in JUDGED])
        row[f"strangers passed{at}"] = _share(familiarity.kept(strangers))
        row[f"AUROC{at}"] = _share(ranking(familiarity.of(held), familiarity.of(strangers)))
    row["scene test photos kept"] = _share(familiarity.kept(test))
    row["outdoor kept"] = _share(familiarity.kept(features(pixels(sets.labelled("outdoor", "test")[0], size))))
    sharp = sets.sharp_scenes()
    row["sharp scenes kept (95 % interval)"] = _counted(familiarity.kept(features(pixels(sharp, size))), len(sharp))
    for labels in LABELS:
        row[f"scenes, {labels} a class"] = _share(few_labels((learnt, classes), (test, truths), labels, seeds))
    clothes = [sets.labelled("clothing", part) for part in ("train", "test")]
    cloth, cloth_test = ((features(pixels(paths, size)), kinds) for paths, kinds in clothes)
    for labels in LABELS:
        row[f"clothing, {labels} a class"] = _share(few_labels(cloth, cloth_test, labels, seeds))
    row |= _embedding_sizes((learnt, classes), (test, truths), cloth, cloth_test, seeds)
    row |= _copies(features, test_pixels[:: max(1, len(test_pixels) // COPIED)])
    row[f"scene photos with a false copy (cosine {CLOSE})"] = _share(false_share(test, truths))
    receipts = features(pixels(sets.foreign("receipts"), size))
    row["receipts with a false copy"] = _share(false_share(receipts, np.arange(len(receipts)).astype(str)))
    row["ms a photo, one core"] = _milliseconds(file, size, test_pixels, place)
    return row


def _embedding_sizes(
    scenes: Labelled, scenes_test: Labelled, clothes: Labelled, clothes_test: Labelled, seeds: int
) -> Row:
    """Accuracy from 20 labels a class on embeddings of several sizes, and on all features."""
    found: Row = {}
    for size in SIZES:
        projection = fit_projection(np.concatenate([scenes[0][::4], clothes[0]]), size)
        pairs = [
            tuple((embed(features, projection), classes) for features, classes in pair)
            for pair in ((scenes, scenes_test), (clothes, clothes_test))
        ]
        found |= {
            f"embedding of {size}: scenes, clothing, 20 a class": ", ".join(
                _share(few_labels(train, test, 20, seeds)) for train, test in pairs
            )
        }
    return found


def _copies(features: Callable[[Pixels], Features], photos: Pixels) -> Row:
    plain = features(photos)
    return {
        f"found: {name}": _share(float(((plain * features(copied(photos, change))).sum(axis=1) >= CLOSE).mean()))
        for name, change in COPIES.items()
    }


def _counted(kept: float, total: int) -> str:
    low, high = wilson(round(kept * total), total)
    return f"{round(kept * total)} of {total} ({low:.2f} to {high:.2f})"


def _milliseconds(file: Path, size: int, photos: Pixels, place: Path) -> float | None:
    """Median time of the ONNX file for one photo, in one thread; None where tf2onnx is not installed."""
    import onnxruntime as ort

    from convert.broad import FEATURES, convert_broad

    if file.suffix != ".npz" or read_broad(file).geometry.size_px != size:
        return None
    convert_broad(file, place / "broad.onnx", lambda step, found: None)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(place / "broad.onnx"), options, providers=["CPUExecutionProvider"])
    times = []
    for photo in photos[:TIMED]:
        started = time.perf_counter()
        session.run([FEATURES], {"images": photo[None]})
        times.append(1e3 * (time.perf_counter() - started))
    return round(statistics.median(times), 2)


def _share(value: float) -> str:
    return f"{value:.3f}"

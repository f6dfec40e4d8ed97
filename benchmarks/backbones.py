"""Export every backbone that a recipe may name, and hold its logits against Keras's.

    python -m benchmarks.backbones [NAME ...]

Weights are random, for only one backbone's are at hand, and then answers hardly vary from photo to photo, so that an
export test would prove little. So batch norms get the statistics of drawn scenes, shaken at random, the temperature is
the spread of the logits across photos, and the difference is given relative to it. Takes minutes.
"""

import argparse
import time
from typing import Any

import numpy as np

from benchmarks.common import finish, parser, tell
from benchmarks.told import Row, Told
from common.drawing import KINDS, draw_scene
from contract.geometry import Geometry, to_input
from convert import export, gate
from convert.clean import clean, node_counts
from training.recipe.backbones import BACKBONES

MEANING = "Largest difference of a logit between ONNX Runtime and Keras, of its spread across photos; 0.002 is allowed."
LIMIT = 2e-3
"""fp32 through a hundred random layers; a wrong pass is off by the spread itself."""


def shaken(network: Any, images: Any) -> None:
    """Give every batch norm of the base the statistics of the images, moved at random."""
    import keras

    base = network.get_layer("base")
    norms = [layer for layer in base._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    base(network.get_layer("scale")(images), training=True)
    rng = np.random.default_rng(5)
    for norm in norms:
        *own, mean, variance = norm.get_weights()
        count = len(mean)
        own = [values + rng.normal(0, 0.1, count) for values in own]
        norm.set_weights(
            [*own, mean + rng.normal(0, 0.1, count) * np.sqrt(variance), variance * rng.uniform(0.8, 1.3, count)]
        )


def built(name: str, size_px: int, images: Any) -> Any:
    """The network as training builds it: uint8 images -> six logits."""
    import keras

    from training.network.network import build
    from training.recipe.recipe import Recipe

    keras.utils.set_random_seed(1)
    recipe = Recipe().with_options({"backbone": name, "input.size_px": size_px, "fine_tune.scale": 1})
    network = build(recipe, len(KINDS), None)
    shaken(network, images)
    return network


def centred(logits: Any) -> Any:
    return logits - logits.mean(axis=1, keepdims=True)


def compared(name: str) -> Row:
    """What became of one backbone, with the largest difference relative to the spread across photos."""
    started, size_px = time.process_time(), 96 if BACKBONES[name].smallest_px > 64 else 64
    geometry = Geometry(size_px=size_px)
    images = np.stack([to_input(draw_scene(kind, seed, (160, 120)), geometry) for seed in range(4) for kind in KINDS])
    network = built(name, size_px, images)
    logits = centred(network(images, training=False).numpy().astype(np.float64))
    spread = float(logits.std(axis=0).min())
    plain = export.to_onnx(network, spread, size_px)
    model = clean(plain)
    answers = gate.onnx_probabilities(gate.open_on_cpu(model.SerializeToString()), images).astype(np.float64)
    # A logit far below the best one leaves no probability that a float32 can hold.
    seen = answers > 1e-30
    off = np.abs(np.log(np.where(seen, answers, 1)) - np.log(answers.max(axis=1, keepdims=True)))
    due = np.abs(logits / spread - (logits / spread).max(axis=1, keepdims=True))
    worst = float(np.abs(off - due)[seen].max())
    return {
        "backbone": name,
        "nodes as exported": sum(node_counts(plain).values()),
        "nodes": sum(node_counts(model).values()),
        "of the spread": float(f"{worst:.1e}"),
        "CPU s": round(time.process_time() - started),
    }


def main() -> None:
    options = parser("backbones", __doc__, "MobileNetV2 alone")
    options.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(BACKBONES)}")
    arguments = options.parse_args()
    told = measured(arguments)
    finish("backbones", arguments, told)
    failed = [row["backbone"] for row in told.rows if not row["of the spread"] < LIMIT]
    if failed:
        raise SystemExit(f"off by {LIMIT:g} of the spread or more: {', '.join(failed)}")


def measured(arguments: argparse.Namespace) -> Told:
    """One row for each backbone."""
    export.keras_on_cpu()
    rows = []
    for name in arguments.names or (["MobileNetV2"] if arguments.short else BACKBONES):
        tell(f"{name}")
        rows.append(compared(name))
    return Told(rows, {"largest": max(row["of the spread"] for row in rows)}, MEANING)


if __name__ == "__main__":
    main()

"""Export every backbone that a recipe may name, and hold its logits against Keras's.

    python benchmarks/backbones.py [NAME ...]

Weights are random, for only one backbone's are at hand, and then answers hardly vary from photo to photo, so that an
export test would prove little. So batch norms get the statistics of drawn scenes, shaken at random, the temperature is
the spread of the logits across photos, and the difference is given relative to it. Takes minutes.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contract.drawing import KINDS, draw_scene
from contract.geometry import Geometry, to_input
from convert import export, gate
from convert.clean import clean, node_counts
from training.backbones import BACKBONES

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

    from training.network import build
    from training.recipe import Recipe

    keras.utils.set_random_seed(1)
    recipe = Recipe().with_options({"backbone": name, "input.size_px": size_px, "fine_tune.scale": 1})
    network = build(recipe, len(KINDS), None)
    shaken(network, images)
    return network


def centred(logits: Any) -> Any:
    return logits - logits.mean(axis=1, keepdims=True)


def compared(name: str) -> float:
    """Print what became of one backbone; returns the largest difference relative to the spread across photos."""
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
    before, after = node_counts(plain), node_counts(model)
    print(
        f"{name:<18}{sum(before.values()):>5} -> {sum(after.values()):>4} nodes   {worst:.1e} of the spread   "
        f"{time.process_time() - started:.0f} s   {', '.join(f'{count} {op}' for op, count in after.items())}",
        flush=True,
    )
    return worst


def main() -> None:
    export.keras_on_cpu()
    failed = [name for name in sys.argv[1:] or BACKBONES if not compared(name) < LIMIT]
    if failed:
        raise SystemExit(f"off by {LIMIT:g} of the spread or more: {', '.join(failed)}")


if __name__ == "__main__":
    main()

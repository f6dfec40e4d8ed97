"""How notebooks do it with Keras: a photo at a time, or a dataset of a folder in batches.

    python -m benchmarks.throughput.notebook predict|dataset FOLDER OUTPUT MODEL LABELS SIZE

MODEL is a .keras file, or `random`: MobileNetV2 with random weights, which takes as long. Both copy each photo to where
it is taken to belong.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.throughput.peer import began, ended, listed

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
BATCH = 32


def network(model: str, classes: int, side: int) -> Any:
    """The Keras model, of float images in 0..255."""
    import keras

    if model != "random":
        return keras.models.load_model(model)
    images = keras.Input((side, side, 3))
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(side, side, 3))
    features = keras.layers.GlobalAveragePooling2D()(base(keras.layers.Rescaling(1 / 127.5, offset=-1)(images)))
    return keras.Model(images, keras.layers.Dense(classes, activation="softmax")(features))


def predict(model: Any, folder: Path, side: int, file: Callable[[Path, Any], None]) -> None:
    """One photo, one call, one copy."""
    import keras

    for path in listed(folder):
        image = keras.utils.load_img(path, target_size=(side, side))
        file(path, model.predict(keras.utils.img_to_array(image)[None], verbose=0)[0])


def dataset(model: Any, folder: Path, side: int, file: Callable[[Path, Any], None]) -> None:
    """A dataset of the folder, one call for all, then the copies."""
    import keras

    photos = keras.utils.image_dataset_from_directory(
        folder, labels=None, shuffle=False, image_size=(side, side), batch_size=BATCH, verbose=False
    )
    for path, scores in zip(photos.file_paths, model.predict(photos, verbose=0), strict=True):
        file(Path(path), scores)


def main() -> None:
    how, folder, output, model, names, side = sys.argv[1:]
    labels = names.split(",")
    for label in labels:
        (Path(output) / label).mkdir(parents=True, exist_ok=True)

    def file(path: Path, scores: Any) -> None:
        shutil.copy(path, Path(output) / labels[int(scores.argmax())] / path.name)

    import numpy as np

    loaded = network(model, len(labels), int(side))
    size = BATCH if how == "dataset" else 1
    loaded.predict(np.zeros((size, int(side), int(side), 3), np.float32), verbose=0)
    start = began()
    {"predict": predict, "dataset": dataset}[how](loaded, Path(folder), int(side), file)
    ended(start)


if __name__ == "__main__":
    main()

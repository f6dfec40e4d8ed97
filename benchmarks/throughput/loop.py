"""A plain loop, as one writes it in an hour: Pillow's full decode, ONNX Runtime as it comes, `shutil.move`.

python -m benchmarks.throughput.loop FOLDER OUTPUT MODEL
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

from benchmarks.throughput.peer import began, ended, listed


def main() -> None:
    folder, output, model = map(Path, sys.argv[1:])
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    labels = json.loads(session.get_modelmeta().custom_metadata_map["phototriage"])["labels"]
    side = session.get_inputs()[0].shape[1]
    for label in labels:
        (output / label).mkdir(parents=True, exist_ok=True)
    paths = listed(folder)
    session.run(None, {"images": np.zeros((1, side, side, 3), np.uint8)})
    start = began()
    for path in paths:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB").resize((side, side)))
        scores = session.run(None, {"images": pixels[np.newaxis]})[0]
        shutil.move(path, output / labels[int(scores[0].argmax())] / path.name)
    ended(start)


if __name__ == "__main__":
    main()

"""An inbox daemon as one writes it in an afternoon: watchdog as it comes, and all in the handler.

    python -m benchmarks.latency.naive INBOX OUTPUT MODEL

A file is tried when it appears, and once more when its writer closes it. What lay there before is not seen.
"""

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer


class Handler(FileSystemEventHandler):
    """Decode, infer, move."""

    def __init__(self, output: Path, model: Path) -> None:
        self._output = output
        self._session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        self._labels = json.loads(self._session.get_modelmeta().custom_metadata_map["phototriage"])["labels"]
        self._side = self._session.get_inputs()[0].shape[1]

    def on_created(self, event: FileSystemEvent) -> None:
        self._file(event)

    def on_closed(self, event: FileSystemEvent) -> None:
        self._file(event)

    def _file(self, event: FileSystemEvent) -> None:
        path = Path(str(event.src_path))
        if event.is_directory:
            return
        try:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB").resize((self._side, self._side)))
        except OSError:
            return  # not whole yet, or filed already
        scores = self._session.run(None, {"images": pixels[np.newaxis]})[0]
        shutil.move(path, self._output / self._labels[int(scores[0].argmax())] / path.name)


def main() -> None:
    inbox, output, model = map(Path, sys.argv[1:])
    observer = Observer()
    observer.schedule(Handler(output, model), str(inbox))
    observer.start()
    print("ready: a naive one", file=sys.stderr, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()

"""Run phototriage until its first training step on photos, and tell when that and the very first step began.

    python first_step.py FILE.json train DATASET ...

A step is Keras's `train_on_batch`; it is found when Keras has been imported, so that nothing is imported sooner.
"""

import importlib.abc
import importlib.util
import json
import os
import sys
import time
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

TRAINER = "keras.src.backend.tensorflow.trainer"


class Watch(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Puts a watch on the step once its module is loaded."""

    def __init__(self, told: Path) -> None:
        self._told = told
        self._steps: list[dict[str, float]] = []
        self._spec: Any = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != TRAINER:
            return None
        sys.meta_path.remove(self)
        self._spec = importlib.util.find_spec(name)
        return importlib.util.spec_from_loader(name, self, origin=self._spec.origin)

    def exec_module(self, module: ModuleType) -> None:
        self._spec.loader.exec_module(module)
        trainer = module.TensorFlowTrainer
        step = trainer.train_on_batch

        def noted_step(model: Any, x: Any, *rest: Any, **named: Any) -> Any:
            self.noted(x)
            return step(model, x, *rest, **named)

        trainer.train_on_batch = noted_step

    def noted(self, photos: Any) -> None:
        """Note the first step, and end at the first one on photos."""
        on_photos = getattr(photos, "ndim", 0) == 4
        if on_photos or not self._steps:
            self._steps.append({"at": time.monotonic(), "cpu": time.process_time()})
        if on_photos:
            self._told.write_text(json.dumps([self._steps[0], self._steps[-1]]))
            os._exit(0)


if __name__ == "__main__":
    sys.meta_path.insert(0, Watch(Path(sys.argv.pop(1))))
    import phototriage

    phototriage.main()

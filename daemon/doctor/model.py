"""Check the model: open it, replay its golden sample and run a batch, to see whether it works and on which device."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np

from common.errors import DeviceError, PhototriageError
from common.text import printable
from contract.session import Device, open_model
from daemon.doctor.finding import Finding, fault, ok, quoted, warning

BATCH = 8


def look_at_model(path: Path, device: str) -> Iterator[Finding]:
    """Open a model as the daemon would and run a batch.

    Args:
        path: of the model file.
        device: `auto`, `cpu` or `cuda`.
    """
    try:
        model = open_model(path, cast(Device, device))
    except DeviceError as error:
        yield fault("model", str(error), "phototriage doctor --device auto   (the cause is reported above)")
        return
    except PhototriageError as error:
        yield fault("model", str(error), f"phototriage inspect {quoted(path)}")
        return
    side = model.contract.geometry.size_px
    labels = ", ".join(map(printable, model.contract.labels))
    yield ok("model", f"{printable(path.name)} keeps its contract; its classes: {labels}")
    yield ok(
        "model", f"its golden sample gives the recorded scores (largest difference {model.golden_difference:.2g}, "
        f"allowed {model.contract.tolerance[model.provider]:.2g} on {model.provider})",
    )  # fmt: skip
    images = np.zeros((BATCH, side, side, 3), np.uint8)
    model.run(images)
    started_s = time.perf_counter()
    model.run(images)
    took_ms = 1e3 * (time.perf_counter() - started_s) / BATCH
    says = f"a batch of {BATCH} ran on the {model.provider.upper()}, {took_ms:.1f} ms per photo"
    if model.note and "driver" not in model.note:
        yield warning("provider", f"{says}: {model.note}", "the cause is reported above, under cuda and devices")
    else:
        yield ok("provider", says)

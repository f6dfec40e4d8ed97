"""Measure a smaller precision before it is published: accuracy, agreement, size and CPU time."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

import contract.geometry
from common.errors import PhotoError
from contract.answers import run_session
from convert.errors import UNCHANGED, AccuracyDropError, TooFewPhotosError
from convert.gate import onnx_probabilities
from training.dataset.decoding import decode, turn_of
from training.dataset.regular_file import regular_file_status
from training.measure.predictions import Predictions

CALIBRATION = 256
"""Photos used to calibrate int8; at most a quarter of the validation photos."""
MOST = 2_000
"""Most validation photos that are read, evenly spread. More would change the accuracy by less than 0.1 points."""
FEWEST = 12
_WARM_UP, _ROUNDS = 3, 31


@dataclass(frozen=True)
class LabelledPhotos:
    """Validation photos with their classes.

    Attributes:
        images: uint8 [n, size, size, 3].
        labels: int64 [n], class indices.
        learnt: whether the final model may have learnt from them; None if that is unknown.
    """

    images: contract.geometry.Pixels
    labels: NDArray[np.int64]
    learnt: bool | None = None

    def select(self, chosen: NDArray[np.bool_]) -> "LabelledPhotos":
        """Select some of the photos."""
        return LabelledPhotos(self.images[chosen], self.labels[chosen], self.learnt)


@dataclass(frozen=True)
class PrecisionMeasurement:
    """A smaller precision compared with fp32 on the same photos.

    Attributes:
        photos: number of photos measured; none of them was used for calibration.
        calibrated_on: number of other validation photos that int8 was calibrated on.
        learnt: whether the final model may have learnt from the photos, so that both accuracies are flattered; None if
            that is unknown.
        fp32_accuracy, accuracy: share of photos whose top class is right.
        drop_points: points (hundredths) of accuracy lost; negative if accuracy rose.
        agreement: share of photos with the same top class in both.
        max_difference: largest difference of a probability.
        fp32_bytes, bytes: size of the graph.
        cpu_speed: photos per second of CPU time, one thread and one photo a call, relative to fp32 on this machine.
    """

    photos: int
    calibrated_on: int
    learnt: bool | None
    fp32_accuracy: float
    accuracy: float
    drop_points: float
    agreement: float
    max_difference: float
    fp32_bytes: int
    bytes: int
    cpu_speed: float

    def __str__(self) -> str:
        learnt = {None: "", True: " that the final model has learnt from", False: " that it has not learnt from"}
        return (
            f"top-1 {self.fp32_accuracy:.2%} -> {self.accuracy:.2%} ({-self.drop_points:+.2f} points) on {self.photos} "
            f"validation photos{learnt[self.learnt]}, {self.agreement:.1%} agree with fp32, "
            f"{self.fp32_bytes / 1e6:.1f} -> {self.bytes / 1e6:.1f} MB, "
            f"{self.cpu_speed:.2f} times fp32's photos per second of CPU time"
        )


def read_labelled(validation: Predictions, geometry: contract.geometry.Geometry) -> LabelledPhotos:
    """Read validation photos, evenly spread over the set. Missing and broken photos are left out.

    Photos are chosen that the final model has not learnt from. A run on few photos has none, and then all are used.

    Raises:
        TooFewPhotosError: too few photos can be read. Drawn pictures cannot replace them: they have no true accuracy.
    """
    never = validation.never_learnt()
    learnt = None if never is None else len(never.photos) < FEWEST
    photos = validation.photos if never is None or learnt else never.photos
    step = max(1.0, len(photos) / MOST)
    chosen = [photos[int(i * step)] for i in range(min(MOST, len(photos)))]
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda photo: (_read(photo.path, geometry), photo.label), chosen)
        whole = [(pixels, label) for pixels, label in found if pixels is not None]
    if len(whole) < FEWEST:
        raise TooFewPhotosError(
            f"Only {len(whole)} of the run's {len(photos)} validation photos can be read, but at least {FEWEST} are "
            f"needed to measure a smaller precision. {UNCHANGED} Put the dataset back where the run was trained, or "
            "convert to fp32."
        )
    images, labels = zip(*whole, strict=True)
    return LabelledPhotos(np.stack(images), np.array(labels, np.int64), learnt)


def _read(path: Path, geometry: contract.geometry.Geometry) -> contract.geometry.Pixels | None:
    try:
        with turn_of(regular_file_status(path).st_size):
            return decode(path.read_bytes(), geometry)
    except (PhotoError, OSError):
        return None


def split(photos: LabelledPhotos) -> tuple[LabelledPhotos, LabelledPhotos]:
    """Split into (photos to calibrate on, photos to measure on), evenly spread and without overlap."""
    count = len(photos.labels)
    calibrated = np.zeros(count, np.bool_)
    calibrated[np.linspace(0, count - 1, min(CALIBRATION, count // 4)).round().astype(np.int64)] = True
    return photos.select(calibrated), photos.select(~calibrated)


def measure_precision(fp32: bytes, smaller: bytes, photos: LabelledPhotos, calibrated_on: int) -> PrecisionMeasurement:
    """Compare both graphs on the same photos."""
    sessions = one_thread(fp32), one_thread(smaller)
    before, after = (onnx_probabilities(session, photos.images) for session in sessions)
    right = [float((answers.argmax(axis=1) == photos.labels).mean()) for answers in (before, after)]
    return PrecisionMeasurement(
        photos=len(photos.labels),
        calibrated_on=calibrated_on,
        learnt=photos.learnt,
        fp32_accuracy=right[0],
        accuracy=right[1],
        drop_points=100 * (right[0] - right[1]),
        agreement=float((before.argmax(axis=1) == after.argmax(axis=1)).mean()),
        max_difference=float(np.abs(before - after).max()),
        fp32_bytes=len(fp32),
        bytes=len(smaller),
        cpu_speed=cpu_speed(*sessions, photos.images[:1]),
    )


def check_drop(precision: str, measured: PrecisionMeasurement, max_drop_points: float) -> None:
    """Raise AccuracyDropError if accuracy falls by more than `max_drop_points`."""
    if not measured.drop_points <= max_drop_points:  # written this way, NaN is refused too
        raise AccuracyDropError(
            f"{precision} loses more than the {max_drop_points:g} points that --max-drop allows: {measured}. "
            f"{UNCHANGED} Convert to fp32, or raise --max-drop."
        )


def one_thread(data: bytes, *, literal: bool = False) -> ort.InferenceSession:
    """Open a graph on the CPU with one thread, as the daemon does.

    Args:
        literal: compute each node as written, without fusing any.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if literal:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def cpu_speed(reference: ort.InferenceSession, other: ort.InferenceSession, images: contract.geometry.Pixels) -> float:
    """Photos per second of CPU time of `other`, divided by those of `reference`.

    The two run in turns, and the median of the ratios counts, so that a machine that slows down slows both.
    """

    def seconds(session: ort.InferenceSession) -> float:
        started = time.process_time()
        run_session(session, images)
        return time.process_time() - started

    ratios = [seconds(reference) / seconds(other) for _ in range(_WARM_UP + _ROUNDS)]
    return round(statistics.median(ratios[_WARM_UP:]), 3)

"""`phototriage convert --check`: what was proven when a file was converted, proven again on this machine.

Needs no TensorFlow, and the onnx package only for its checker.
"""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from contract.gpu import cuda_obstacle
from contract.session import Model, open_model, read_model
from convert.errors import CheckError


@dataclass(frozen=True)
class Replay:
    """The golden sample on one provider: largest difference, and what is allowed (encoded pictures: and `decoder`)."""

    provider: str
    difference: float
    tolerance: float
    decoder: float


@dataclass(frozen=True)
class Checked:
    """What was found in order.

    checker  version of the onnx package whose checker ran; empty where it is not installed
    replays  one for each provider
    note     why CUDA was left out; empty where it was not
    """

    model: Path
    sha256: str
    precision: str
    labels: tuple[str, ...]
    golden: int
    checker: str
    replays: tuple[Replay, ...]
    note: str

    def to_json(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return asdict(self) | {"model": str(self.model)}

    def rows(self) -> dict[str, str]:
        """Return what a person reads, line by line."""
        return {
            "contract": f"in order: {self.precision}, {len(self.labels)} classes: {', '.join(self.labels)}",
            "checker": f"onnx {self.checker} finds nothing" if self.checker else "left out: onnx is not installed here",
            **{replay.provider: self._words(replay) for replay in self.replays},
            **({"cuda": f"left out: {self.note}"} if self.note else {}),
        }

    def _words(self, replay: Replay) -> str:
        return (
            f"{self.golden} golden pictures replayed, differing by {replay.difference:.1e} (at most "
            f"{replay.tolerance:.2g}, encoded ones {replay.tolerance + replay.decoder:.2g})"
        )


def check_model(path: Path) -> Checked:
    """Check contract, graph and golden sample of a model file, on the CPU, and on CUDA where it can be used.

    Raises:
        ModelError, ContractError: it is no model, breaks its contract, or does not compute what was verified.
        CheckError: the ONNX checker refuses it.
    """
    data = read_model(path)
    opened = [open_model(data, "cpu")]
    checker = _run_checker(path, data)
    note = cuda_obstacle()
    if not note:
        second = open_model(data, "auto")
        note = second.note
        opened += [second] if second.provider == "cuda" else []
    contract = opened[0].contract
    return Checked(
        model=path,
        sha256=opened[0].sha256,
        precision=contract.precision,
        labels=contract.labels,
        golden=len(contract.golden),
        checker=checker,
        replays=tuple(_replay(model) for model in opened),
        note=note,
    )


def _replay(model: Model) -> Replay:
    tolerance = model.contract.tolerance
    return Replay(model.provider, model.golden_difference, tolerance[model.provider], tolerance["decoder"])


def _run_checker(path: Path, data: bytes) -> str:
    if find_spec("onnx") is None:
        return ""
    import onnx

    try:
        onnx.checker.check_model(data, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise CheckError(f"{path} is not valid ONNX ({reason}). Convert the run again.") from error
    return version("onnx")

"""`phototriage convert --check`: verify a model file again, on this machine.

It needs no TensorFlow. It uses the checker of the onnx package where that is installed.
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
class ReplayResult:
    """The golden sample replayed on one provider.

    Attributes:
        provider: `cpu` or `cuda`.
        difference: largest difference of a probability.
        tolerance: largest difference that is allowed.
        decoder: what encoded pictures may differ in addition.
    """

    provider: str
    difference: float
    tolerance: float
    decoder: float


@dataclass(frozen=True)
class ModelCheckResult:
    """The checks that a model file passed.

    Attributes:
        checker: version of the onnx package whose checker ran; empty if it is not installed.
        replays: one for each provider.
        note: why CUDA was not checked; empty if it was.
    """

    model: Path
    sha256: str
    precision: str
    labels: tuple[str, ...]
    golden: int
    checker: str
    replays: tuple[ReplayResult, ...]
    note: str

    def to_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"model": str(self.model)}

    def rows(self) -> dict[str, str]:
        """The lines for the terminal, each with its name."""
        return {
            "contract": f"valid: {self.precision}, {len(self.labels)} classes: {', '.join(self.labels)}",
            "checker": f"onnx {self.checker} finds no error" if self.checker else "skipped: onnx is not installed here",
            **{replay.provider: self._words(replay) for replay in self.replays},
            **({"cuda": f"skipped: {self.note}"} if self.note else {}),
        }

    def _words(self, replay: ReplayResult) -> str:
        return (
            f"{self.golden} golden pictures replayed, max difference {replay.difference:.1e} (limit "
            f"{replay.tolerance:.2g}; encoded pictures {replay.tolerance + replay.decoder:.2g})"
        )


def check_model(path: Path) -> ModelCheckResult:
    """Check contract, graph and golden sample of a model file on the CPU, and on CUDA if it is available.

    Raises:
        ModelError: the file is no model, or does not compute what was verified.
        ContractError: the model breaks its contract.
        CheckError: the ONNX checker rejects the file.
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
    return ModelCheckResult(
        model=path,
        sha256=opened[0].sha256,
        precision=contract.precision,
        labels=contract.labels,
        golden=len(contract.golden),
        checker=checker,
        replays=tuple(_replay(model) for model in opened),
        note=note,
    )


def _replay(model: Model) -> ReplayResult:
    tolerance = model.contract.tolerance
    return ReplayResult(model.provider, model.golden_difference, tolerance[model.provider], tolerance["decoder"])


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

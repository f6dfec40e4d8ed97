"""The contract goes into the file, the checker runs, and the finished bytes are opened as a user would open them."""

import platform
from importlib.metadata import PackageNotFoundError, version

import onnx

from contract.metadata import METADATA_KEY, Contract
from contract.session import MAX_MODEL_BYTES, Model, open_model
from convert.errors import UNCHANGED, ExportError
from convert.export import checked

_MADE_WITH = (
    "phototriage",
    "tensorflow",
    "keras",
    "tf2onnx",
    "onnx",
    "onnxruntime-gpu",
    "onnxruntime",
    "numpy",
    "pillow",
)


def versions() -> dict[str, str]:
    """Versions of what takes part in a conversion; what is not installed as a package is left out."""
    found = {"python": platform.python_version()}
    for name in _MADE_WITH:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def stamped(model: onnx.ModelProto, contract: Contract) -> bytes:
    """Serialise a copy of `model` with the contract in its metadata.

    Raises ExportError when the checker refuses it or it is larger than what a session opens.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    onnx.helper.set_model_props(copy, {METADATA_KEY: contract.to_json()})
    if copy.ByteSize() > MAX_MODEL_BYTES:
        raise ExportError(
            f"The model would be {copy.ByteSize() >> 20} MiB, and nothing larger than {MAX_MODEL_BYTES >> 20} MiB is "
            f"opened. {UNCHANGED} Train a smaller network."
        )
    data: bytes = checked(copy).SerializeToString(deterministic=True)
    return data


def proven(data: bytes, contract: Contract) -> Model:
    """Open the finished bytes on the CPU, golden sample replayed, and see that the contract came through unchanged."""
    model = open_model(data, device="cpu")
    if model.contract != Contract.from_json(contract.to_json()):
        raise ExportError(f"The contract read back from the finished file is not the one written. {UNCHANGED}")
    return model

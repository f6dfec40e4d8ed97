"""Write the contract into the model, run the ONNX checker, and open the finished bytes as a user would."""

import onnx

from common.packages import installed_versions
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
    """Versions of the packages that a conversion uses; those that are not installed are left out."""
    return installed_versions(_MADE_WITH)


def stamp_model(model: onnx.ModelProto, contract: Contract) -> bytes:
    """Serialise a copy of `model` with the contract in its metadata.

    Raises:
        ExportError: the checker rejects it, or it is larger than a session opens.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    kept = {prop.key: prop.value for prop in model.metadata_props}
    onnx.helper.set_model_props(copy, kept | {METADATA_KEY: contract.to_json()})
    if copy.ByteSize() > MAX_MODEL_BYTES:
        raise ExportError(
            f"The model would have {copy.ByteSize() >> 20} MiB, but models over {MAX_MODEL_BYTES >> 20} MiB are not "
            f"opened. {UNCHANGED} Train a smaller network."
        )
    data: bytes = checked(copy).SerializeToString(deterministic=True)
    return data


def open_proven(data: bytes, contract: Contract) -> Model:
    """Open the finished bytes on the CPU, replay the golden sample, and check that the contract is unchanged."""
    model = open_model(data, device="cpu")
    if model.contract != Contract.from_json(contract.to_json()):
        raise ExportError(
            f"The contract read from the finished file differs from the one written. {UNCHANGED} Please report this."
        )
    return model

"""The contract of an opened model, and whether the graph has the inputs and outputs that it names."""

import onnxruntime as ort

from common.errors import ContractError
from common.strict_json import short_repr
from contract.metadata import (
    EMBEDDING_NAME,
    FAMILIARITY_NAME,
    INPUT_NAME,
    METADATA_KEY,
    NEAREST_NAME,
    OUTPUT_NAME,
    Contract,
)


def checked_contract(session: ort.InferenceSession) -> Contract:
    """Read the contract of a model and check names, types and shapes of the graph.

    Raises:
        ContractError: there is no contract, it is malformed, or the graph is not what it says.
    """
    contract = _contract_of(session)
    _check_signature(session, contract)
    return contract


def _contract_of(session: ort.InferenceSession) -> Contract:
    try:
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    except UnicodeDecodeError as error:
        raise ContractError("The metadata of the model is not UTF-8 text. Convert the run again.") from error
    if text is None:
        raise ContractError(
            "The model has no phototriage contract. Make a model that has one: phototriage convert RUN."
        )
    return Contract.from_json(text)


def _check_signature(session: ort.InferenceSession, contract: Contract) -> None:
    size = contract.geometry.size_px
    inputs = [(item.name, item.type, item.shape[1:]) for item in session.get_inputs()]
    outputs = [(item.name, item.type, item.shape[1:]) for item in session.get_outputs()]
    expected: list[tuple[str, str, list[int]]] = [(OUTPUT_NAME, "tensor(float)", [len(contract.labels)])]
    if contract.familiarity is not None:
        expected += [
            (EMBEDDING_NAME, "tensor(float)", [contract.familiarity.dimensions]),
            (FAMILIARITY_NAME, "tensor(float)", []),
            (NEAREST_NAME, "tensor(int64)", []),
        ]
    for got, wanted in (
        (inputs, [(INPUT_NAME, "tensor(uint8)", [size, size, 3])]),
        (outputs, expected),
    ):
        if got != wanted:
            raise ContractError(
                f"The graph of the model has {short_repr(got)}, but its contract says {wanted}. Convert it again."
            )
    if any(isinstance(item.shape[0], int) for item in (*session.get_inputs(), *session.get_outputs())):
        raise ContractError("The model has a fixed batch size, but its first dimension must be free. Convert it again.")

"""The last look at the finished bytes: a file that is not valid, too large, or altered is not published."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from common.errors import ContractError, ModelError
from contract.metadata import METADATA_KEY, Contract
from contract.session import read_contract
from convert import stamp
from convert.errors import ExportError


@pytest.fixture(scope="module")
def contract(published: Path) -> Contract:
    return read_contract(published.read_bytes())


@pytest.fixture
def model(published: Path) -> onnx.ModelProto:
    """A fresh copy of the published model, without its contract."""
    model = onnx.load(published)
    del model.metadata_props[:]
    return model


def test_the_published_bytes_are_stamped_and_proven(
    published: Path, model: onnx.ModelProto, contract: Contract
) -> None:
    data = stamp.stamp_model(model, contract)
    assert data == published.read_bytes()
    assert stamp.open_proven(data, contract).contract == contract
    assert not model.metadata_props, "the model that was passed in is left as it was"


def test_weights_altered_after_the_gate_are_noticed(model: onnx.ModelProto, contract: Contract) -> None:
    weight = next(item for item in model.graph.initializer if item.name == "conv_0.1")
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.1), weight.name))
    with pytest.raises(ModelError, match="does not compute what was verified"):
        stamp.open_proven(stamp.stamp_model(model, contract), contract)


def test_a_contract_altered_in_the_file_is_noticed(published: Path, contract: Contract) -> None:
    altered = onnx.load(published)
    json = altered.metadata_props[0].value
    altered.metadata_props[0].value = json.replace('"temperature": 1.3', '"temperature": 1.4')
    assert altered.metadata_props[0].value != json
    with pytest.raises(ExportError, match="differs from the one written"):
        stamp.open_proven(altered.SerializeToString(), contract)


def test_a_file_without_its_contract_is_noticed(model: onnx.ModelProto, contract: Contract) -> None:
    with pytest.raises(ContractError, match=METADATA_KEY):
        stamp.open_proven(model.SerializeToString(), contract)


def test_what_is_no_valid_onnx_is_refused(model: onnx.ModelProto, contract: Contract) -> None:
    del model.graph.node[3]
    with pytest.raises(ExportError, match="not valid ONNX"):
        stamp.stamp_model(model, contract)


def test_a_file_larger_than_a_session_opens_is_refused(
    model: onnx.ModelProto, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamp, "MAX_MODEL_BYTES", 5 << 20)
    with pytest.raises(ExportError, match="would have 8 MiB, but models over 5 MiB"):
        stamp.stamp_model(model, contract)

"""A real network through tf2onnx and all passes: what is left of it, and that it says what Keras says."""

from typing import Any

import keras
import numpy as np
import onnx
import pytest

from common.drawing import KINDS, draw_scene
from contract.geometry import Geometry, Pixels, to_input
from convert import export, gate
from convert.clean import clean, node_counts
from convert.errors import ExportError, TopClassMismatchError
from convert.graph import from_model

LABELS = tuple(KINDS)


@pytest.fixture(scope="module")
def photos(plain: onnx.ModelProto) -> Pixels:
    """Scenes that the head was not fitted to."""
    geometry = Geometry(size_px=plain.graph.input[0].type.tensor_type.shape.dim[1].dim_value)
    return np.stack([to_input(draw_scene(kind, seed), geometry) for seed in range(50, 58) for kind in KINDS])


def probabilities(model: onnx.ModelProto, photos: Pixels) -> gate.Probabilities:
    return gate.onnx_probabilities(gate.open_on_cpu(model.SerializeToString()), photos)


def test_nothing_is_left_that_could_be_folded_away(plain: onnx.ModelProto) -> None:
    before, after = node_counts(plain), node_counts(clean(plain))
    assert before["Mul"] >= 18
    assert before["Pad"] == 4
    # 10 of the Adds are the residual connections; the last Add, Cast and Transpose bring the pixels in.
    assert after == {
        "Conv": 52,
        "Clip": 35,
        "Add": 11,
        "Cast": 1,
        "Transpose": 1,
        "GlobalAveragePool": 1,
        "Squeeze": 1,
        "Gemm": 1,
        "Softmax": 1,
    }


def test_every_stride_2_convolution_pads_evenly(plain: onnx.ModelProto) -> None:
    strided = [n.attributes for n in from_model(clean(plain)).nodes if n.attributes.get("strides") == [2, 2]]
    assert [(a["pads"], a["kernel_shape"]) for a in strided] == 5 * [([1, 1, 1, 1], [4, 4])]


def test_export_says_what_keras_says_to_the_rounding_of_logits(
    network: Any, plain: onnx.ModelProto, photos: Pixels
) -> None:
    logits = network(photos, training=False).numpy()
    spread = (logits - logits.mean(axis=1, keepdims=True)).std(axis=0).min()
    assert spread > 0.5, "the answers do not vary from photo to photo: nothing would be proven"
    exported = np.log(probabilities(clean(plain), photos))
    centred = [values - values.mean(axis=1, keepdims=True) for values in (logits / 1.3, exported)]
    assert np.abs(centred[0] - centred[1]).max() < 1e-4 * spread


def test_cleaning_changes_no_answer(plain: onnx.ModelProto, photos: Pixels) -> None:
    assert np.abs(probabilities(plain, photos) - probabilities(clean(plain), photos)).max() < 0.5 * gate.TOLERANCE


def test_two_exports_of_one_network_are_the_same_bytes(network: Any, plain: onnx.ModelProto) -> None:
    again = export.to_onnx(network, 1.3, network.input_shape[1])
    assert clean(again).SerializeToString(deterministic=True) == clean(plain).SerializeToString(deterministic=True)


def test_the_gate_fails_for_a_file_altered_after_export(network: Any, plain: onnx.ModelProto, photos: Pixels) -> None:
    altered = clean(plain)
    bias = next(item for item in altered.graph.initializer if item.name == "gemm_0.2")
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] += 9
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    keras_says = gate.keras_probabilities(network, 1.3, photos)
    names = [f"photo {i}" for i in range(len(photos))]
    assert gate.compare(keras_says, probabilities(clean(plain), photos), names, LABELS, "drawn").max_difference > 0
    with pytest.raises(TopClassMismatchError):
        gate.compare(keras_says, probabilities(altered, photos), names, LABELS, "drawn")


def test_a_temperature_that_the_file_forgot_is_noticed(network: Any, plain: onnx.ModelProto, photos: Pixels) -> None:
    cold = gate.keras_probabilities(network, 1.0, photos)
    assert np.abs(cold - probabilities(clean(plain), photos)).max() > 100 * gate.TOLERANCE


def small(size_px: int = 32, classes: int = 3, dtype: str = "uint8") -> Any:
    images = keras.Input((size_px, size_px, 3), dtype=dtype)
    return keras.Model(images, keras.layers.Dense(classes)(keras.layers.GlobalAveragePooling2D()(images)))


def test_one_logit_of_two_classes_becomes_two_columns_of_probabilities(photos: Pixels) -> None:
    keras.utils.set_random_seed(2)
    model, size_px = small(photos.shape[1], classes=1), photos.shape[1]
    model.layers[-1].set_weights([np.array([[0.02], [-0.03], [0.01]]), np.array([0.4])])
    export.check_network(model, size_px, 2)
    logits = model(photos, training=False).numpy()[:, 0].astype(np.float64)
    sigmoid = 1 / (1 + np.exp(-logits / 1.3))
    assert sigmoid.std() > 0.05
    exported = probabilities(clean(export.to_onnx(model, 1.3, size_px)), photos)
    assert np.abs(exported - np.stack([1 - sigmoid, sigmoid], axis=1)).max() < 1e-6
    assert np.abs(gate.keras_probabilities(model, 1.3, photos) - exported).max() < 1e-6
    with pytest.raises(ExportError):
        export.check_network(model, size_px, 3)


def test_constants_that_tf2onnx_makes_inputs_of_stay_inside(photos: Pixels) -> None:
    """As in EfficientNet, whose normalisation `from_function` leaves outside the graph."""
    keras.utils.set_random_seed(4)
    size_px = photos.shape[1]
    images = keras.Input((size_px, size_px, 3), dtype="uint8")
    scaled = keras.layers.Normalization(mean=[99.0, 120.0, 80.0], variance=[900.0, 2500.0, 1600.0])(images)
    model = keras.Model(images, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(scaled)))
    exported = clean(export.to_onnx(model, 1.3, size_px))
    gate.check_signature(gate.open_on_cpu(exported.SerializeToString()), size_px, 4)
    wanted = gate.keras_probabilities(model, 1.3, photos)
    assert wanted.std(axis=0).min() > 0.01
    assert np.abs(probabilities(exported, photos) - wanted).max() < 1e-6


@pytest.mark.parametrize("wrong", [{"size_px": 48}, {"classes": 4}, {"dtype": "float32"}])
def test_a_network_that_does_not_fit_its_run_is_refused(wrong: dict[str, Any]) -> None:
    export.check_network(small(), 32, 3)
    with pytest.raises(ExportError, match=r"run\.json requires"):
        export.check_network(small(**wrong), 32, 3)


def test_a_network_of_reduced_precision_is_refused() -> None:
    images = keras.Input((32, 32, 3), dtype="uint8")
    pooled = keras.layers.GlobalAveragePooling2D(dtype="mixed_bfloat16")(images)
    with pytest.raises(ExportError, match="bfloat16"):
        export.check_network(keras.Model(images, keras.layers.Dense(3, dtype="float32")(pooled)), 32, 3)


def test_a_network_that_tf2onnx_cannot_write_is_refused_in_a_sentence() -> None:
    class Unknown(keras.layers.Layer):
        def call(self, images: Any) -> Any:
            import tensorflow as tf

            return tf.cast(tf.strings.length(tf.io.encode_base64(tf.strings.as_string(images[:, 0, 0, :]))), tf.float32)

    images = keras.Input((32, 32, 3), dtype="uint8")
    with pytest.raises(ExportError, match="EncodeBase64"):
        export.to_onnx(keras.Model(images, Unknown()(images)), 1.0, 32)

"""Keras to ONNX by tf2onnx: the one place that knows tf2onnx, which is pinned and looks for maintainers."""

import os
from typing import Any

import onnx

from contract.metadata import INPUT_NAME, OUTPUT_NAME
from convert.errors import UNCHANGED, ExportError
from convert.quiet import stderr_to_nowhere

OPSET = 17
"""17 keeps GlobalAveragePool and one Transpose; 18 turns the first into ReduceMean and makes two of the second."""


def keras_on_cpu() -> None:
    """Hide GPUs from TensorFlow in this process: on one, Keras computes in TF32 and is off by about 1e-3.

    Call it before a model is loaded. Raises ExportError when TensorFlow has already taken the GPU.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with stderr_to_nowhere():
        import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        return
    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError as error:
        raise ExportError(
            "TensorFlow already holds the GPU in this process; convert in a process of its own."
        ) from error


def check_network(model: Any, size_px: int, classes: int) -> None:
    """Raise ExportError unless the Keras model takes uint8 images of that size, answers one logit a class, in fp32.

    Of two classes one logit is enough: that of the second, behind which a sigmoid stands.
    """
    wanted = ((None, size_px, size_px, 3), "uint8", (None, classes))
    got = (tuple(model.input_shape), str(model.inputs[0].dtype), tuple(model.output_shape))
    if got != wanted and not (classes == 2 and got == (*wanted[:2], (None, 1))):
        raise ExportError(
            f"The run's network has input {got[0]} {got[1]} and output {got[2]}; its run.json asks for {wanted[0]} "
            f"{wanted[1]} and {wanted[2]}. {UNCHANGED} Train it again."
        )
    reduced = sorted({layer.compute_dtype for layer in model.layers} - {"float32", "uint8"})
    if reduced:
        raise ExportError(f"The run's network computes in {', '.join(reduced)}; only float32 can be compared exactly.")


def to_onnx(model: Any, temperature: float, size_px: int) -> onnx.ModelProto:
    """Export a Keras model with temperature and softmax behind it.

    Args:
        model: functional Keras model, uint8 [N, size_px, size_px, 3] -> logits [N, classes], or [N, 1] of the second
            of two classes.
        temperature: divisor of the logits.
        size_px: side of the input.

    Returns:
        The graph as tf2onnx leaves it: `images` uint8 -> `probabilities` float32.

    Raises:
        ExportError: tf2onnx cannot write this network, or wrote what is no ONNX.
    """
    import tensorflow as tf
    import tf2onnx

    spec = tf.TensorSpec([None, size_px, size_px, 3], tf.uint8, name=INPUT_NAME)
    try:
        proto = _from_function(model, temperature, spec)
        if len(proto.graph.input) > 1:
            proto = _from_keras(model, temperature, spec)
    except (ValueError, TypeError, KeyError, RuntimeError, NotImplementedError) as error:
        raise ExportError(
            f"tf2onnx {tf2onnx.__version__} cannot export this network ({error}). {UNCHANGED} Train one of the "
            "recipes' networks instead."
        ) from error
    return checked(proto)


def _from_function(model: Any, temperature: float, spec: Any) -> onnx.ModelProto:
    import tensorflow as tf
    import tf2onnx

    @tf.function(input_signature=[spec])
    def classify(images: Any) -> dict[str, Any]:
        logits = model(images, training=False) / temperature
        if model.output_shape[-1] == 1:
            logits = tf.pad(logits, [[0, 0], [1, 0]])  # softmax of (0, z) is (1 - sigmoid(z), sigmoid(z))
        return {OUTPUT_NAME: tf.nn.softmax(logits)}

    return tf2onnx.convert.from_function(classify, input_signature=[spec], opset=OPSET)[0]


def _from_keras(model: Any, temperature: float, spec: Any) -> onnx.ModelProto:
    """Export what `from_function` gets wrong: of EfficientNet's normalisation it makes inputs of the graph."""
    import keras
    import tf2onnx

    images = keras.Input(tuple(spec.shape[1:]), dtype="uint8", name=INPUT_NAME)
    logits = keras.layers.Rescaling(1 / temperature)(model(images, training=False))
    if model.output_shape[-1] == 1:
        logits = keras.layers.Concatenate()([keras.layers.Rescaling(0.0)(logits), logits])
    answers = keras.layers.Softmax(name=OUTPUT_NAME)(logits)
    proto = tf2onnx.convert.from_keras(keras.Model(images, answers), input_signature=[spec], opset=OPSET)[0]
    return _output_named(proto)


def _output_named(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Call the only output what the contract calls it, whatever Keras made of the name."""
    output = proto.graph.output[0]
    if output.name != OUTPUT_NAME:
        proto.graph.node.append(onnx.helper.make_node("Identity", [output.name], [OUTPUT_NAME]))
        output.name = OUTPUT_NAME
    return proto


def checked(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model unchanged if the ONNX checker finds nothing, or raise ExportError.

    tf2onnx only logs an operator that it does not know, and writes it under its TensorFlow name.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ExportError(f"The exported graph is not valid ONNX ({reason}). {UNCHANGED}") from error
    return model

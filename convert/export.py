"""Export a run's network to ONNX with tf2onnx, which is pinned and has few maintainers.

Two other modules call it: convert/broad.py, and training/network/trunk.py for the frozen part of a training.
"""

import os
from typing import Any

import onnx

from common.silence import silenced
from contract.metadata import EMBEDDING_NAME, FAMILIARITY_NAME, INPUT_NAME, NEAREST_NAME, OUTPUT_NAME
from convert.errors import UNCHANGED, ExportError
from convert.familiar import Familiar, with_broad_features

OUTPUTS = (OUTPUT_NAME, EMBEDDING_NAME, FAMILIARITY_NAME, NEAREST_NAME)
OPSET = 17
"""Opset 17 keeps GlobalAveragePool and one Transpose; opset 18 writes ReduceMean and two Transposes."""


def keras_on_cpu() -> None:
    """Hide GPUs from TensorFlow in this process, because Keras on a GPU computes in TF32 and differs by about 1e-3.

    Call it before a model is loaded.

    Raises:
        ExportError: TensorFlow already uses the GPU in this process.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced():  # TensorFlow writes six lines from C++ before it reads its log level
        import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        return
    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError as error:
        raise ExportError(
            "TensorFlow already uses the GPU in this process. Run the conversion in a separate process."
        ) from error


def check_network(model: Any, size_px: int, classes: int) -> None:
    """Raise ExportError unless the Keras model maps uint8 images of that size to one fp32 logit a class.

    Two classes may have a single logit, that of the second class (a sigmoid follows it).
    """
    wanted = ((None, size_px, size_px, 3), "uint8", (None, classes))
    got = (tuple(model.input_shape), str(model.inputs[0].dtype), tuple(model.output_shape))
    if got != wanted and not (classes == 2 and got == (*wanted[:2], (None, 1))):
        raise ExportError(
            f"The run's network has input {got[0]} {got[1]} and output {got[2]}. Its run.json requires "
            f"{wanted[0]} {wanted[1]} and {wanted[2]}. {UNCHANGED} Train the run again."
        )
    reduced = sorted({layer.compute_dtype for layer in model.layers} - {"float32", "uint8"})
    if reduced:
        raise ExportError(
            f"The run's network computes in {', '.join(reduced)}. Only float32 can be "
            "compared exactly, so train the run in float32."
        )


def to_onnx(model: Any, temperature: float, size_px: int, familiar: Familiar | None = None) -> onnx.ModelProto:
    """Export a Keras model, followed by temperature and softmax, and by familiarity where the run knows it.

    Args:
        model: functional Keras model, uint8 [N, size_px, size_px, 3] -> logits [N, classes], or [N, 1] of the second
            of two classes.
        temperature: divisor of the logits.
        size_px: side of the input.
        familiar: adds the outputs of familiarity.

    Returns:
        The graph as tf2onnx leaves it: `images` uint8 -> `probabilities` float32, and the outputs of familiarity.

    Raises:
        ExportError: tf2onnx cannot export this network, or its output is not valid ONNX.
    """
    import tensorflow as tf
    import tf2onnx

    spec = tf.TensorSpec([None, size_px, size_px, 3], tf.uint8, name=INPUT_NAME)
    try:
        proto = _from_function(model, temperature, spec, familiar)
        if len(proto.graph.input) > 1 and familiar is None:
            proto = _from_keras(model, temperature, spec)
    except (ValueError, TypeError, KeyError, RuntimeError, NotImplementedError) as error:
        raise ExportError(
            f"tf2onnx {tf2onnx.__version__} cannot export this network ({error}). {UNCHANGED} Train a network of "
            "a shipped recipe instead."
        ) from error
    return checked(proto)


def _from_function(model: Any, temperature: float, spec: Any, familiar: Familiar | None) -> onnx.ModelProto:
    import tensorflow as tf
    import tf2onnx

    both = None if familiar is None else with_broad_features(model)

    @tf.function(input_signature=[spec])
    def classify(images: Any) -> dict[str, Any]:
        """The outputs by name."""
        logits, broad = (model(images, training=False), None) if both is None else both(images, training=False)
        logits = logits / temperature
        if model.output_shape[-1] == 1:
            logits = tf.pad(logits, [[0, 0], [1, 0]])  # softmax of (0, z) is (1 - sigmoid(z), sigmoid(z))
        more = {} if familiar is None else familiar.outputs(broad)
        return {OUTPUT_NAME: tf.nn.softmax(logits), **more}

    return _outputs_in_order(tf2onnx.convert.from_function(classify, input_signature=[spec], opset=OPSET)[0])


def _outputs_in_order(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Put the outputs into the order of the contract, because TensorFlow sorts them by name."""
    by_name = {value.name: value for value in proto.graph.output}
    ordered = [by_name[name] for name in OUTPUTS if name in by_name]
    if len(ordered) == len(by_name):
        del proto.graph.output[:]
        proto.graph.output.extend(ordered)
    return proto


def _from_keras(model: Any, temperature: float, spec: Any) -> onnx.ModelProto:
    """Export networks that `from_function` gets wrong: it turns the normalisation of EfficientNet into graph inputs."""
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
    """Give the only output the name of the contract, because Keras may have changed it."""
    output = proto.graph.output[0]
    if output.name != OUTPUT_NAME:
        proto.graph.node.append(onnx.helper.make_node("Identity", [output.name], [OUTPUT_NAME]))
        output.name = OUTPUT_NAME
    return proto


def checked(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model unchanged if the ONNX checker accepts it, or raise ExportError.

    The check is needed because tf2onnx only logs an unknown operator and writes it under its TensorFlow name.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ExportError(f"The exported graph is not valid ONNX ({reason}). {UNCHANGED}") from error
    return model

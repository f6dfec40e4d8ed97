"""Where the weights come from that a training starts with, and what to do when they are not at hand."""

import hashlib
import os
import urllib.request
from http.client import HTTPException
from pathlib import Path

from contract.publish import publish_bytes
from training.errors import WeightsError

FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
URL = f"https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/{FILE}"


def weights_path() -> Path:
    """Where Keras keeps MobileNetV2's ImageNet weights: under `$KERAS_HOME`, by default `~/.keras`.

    One file serves every input size: the weights of convolutions do not depend on it, and this file is of the size
    (224 px) at which they were trained.
    """
    home = os.environ.get("KERAS_HOME") or str(Path.home() / ".keras")
    return Path(home) / "models" / FILE


def find_weights() -> Path:
    """Return the weights file, fetching it when it is not there.

    Raises:
        WeightsError: it is not there and cannot be fetched, with the way to bring it.
    """
    path = weights_path()
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(URL, timeout=30) as answer:
            publish_bytes(path, answer.read())
    except (OSError, HTTPException) as error:
        raise WeightsError(
            f"The ImageNet weights are not at {path} and could not be fetched ({error}). Put the file"
            f" {FILE} there (from {URL}), set KERAS_HOME to a folder whose models/ holds it, or pass --weights none."
        ) from error
    return path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

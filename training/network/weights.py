"""Where the weights come from that a training starts with, and what to do when they are not at hand."""

import hashlib
import os
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from contract.geometry import Geometry
from contract.publish import publish_bytes
from training.errors import WeightsError
from training.recipe.backbones import BACKBONES
from training.recipe.recipe import Recipe


def weights_path(backbone: str) -> Path:
    """Where Keras keeps the backbone's ImageNet weights: under `$KERAS_HOME`, by default `~/.keras`.

    One file serves every input size: the weights of convolutions do not depend on it, and this file is of the size at
    which they were trained.
    """
    home = os.environ.get("KERAS_HOME") or str(Path.home() / ".keras")
    return Path(home) / "models" / BACKBONES[backbone].file


def find_weights(backbone: str, say: Callable[[str], None] = lambda _: None) -> Path:
    """Return the weights file, fetching it when it is not there, which `say` is told.

    Raises:
        WeightsError: it is not there and cannot be fetched, with the way to bring it, or it is damaged.
    """
    path, url = weights_path(backbone), BACKBONES[backbone].url
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            say(f"Fetching the ImageNet weights of {backbone} from {url}, only this once.")
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - all https
                publish_bytes(path, answer.read())
        except (OSError, HTTPException) as error:
            raise WeightsError(
                f"The ImageNet weights of {backbone} are not at {path} and could not be fetched ({error}). Put the file"
                f" {path.name} there (from {url}), set KERAS_HOME to a folder whose models/ holds it, or pass"
                " --weights none."
            ) from error
    _check(path, backbone)
    return path


def _check(path: Path, backbone: str) -> None:
    """Hold the file against the hash that Keras gives; of MobileNetV2 it gives none, and loading must show it."""
    due = BACKBONES[backbone].md5
    if not due:
        return
    try:
        found = _digest(path, "md5")
    except OSError as error:
        raise WeightsError(f"The weights file {path} cannot be read ({error.strerror}).") from error
    if found != due:
        raise WeightsError(
            f"The weights file {path} is damaged, or not the one of {backbone}: its MD5 is {found}, and Keras names"
            f" {due}. Delete it, and it is fetched again, or bring it from {BACKBONES[backbone].url}."
        )


def features_origin(recipe: Recipe, weights_hash: str) -> str:
    """What tells the features of the same photos apart: initial weights, geometry, and how pixels are scaled."""
    geometry = Geometry(recipe.input.geometry, recipe.input.size_px)
    return f"{weights_hash} {geometry.id} {geometry.size_px} {recipe.input.scaling}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return _digest(path, "sha256")


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()

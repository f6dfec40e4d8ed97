"""Find or fetch the initial weights of a training."""

import hashlib
import os
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from common.publish import publish_bytes
from contract.geometry import Geometry
from contract.shipped import SHIPPED_BROAD
from training.errors import WeightsError
from training.recipe.backbones import BACKBONES
from training.recipe.recipe import Recipe

BROAD_BACKBONE = "MobileNetV2"


@dataclass(frozen=True)
class InitialWeights:
    """The weights that a training begins with.

    Attributes:
        name: `broad` or `imagenet`.
        file: an .npz of `phototriage train-broad`, or Keras's .h5.
        sha256: of the file.
    """

    name: str
    file: Path
    sha256: str

    @property
    def origin(self) -> dict[str, str]:
        """What a run stores of them."""
        return {"name": self.name, "file": self.file.name, "sha256": self.sha256}


def initial_weights(recipe: Recipe, say: Callable[[str], None] = lambda _: None) -> InitialWeights | None:
    """Find the weights that a recipe begins with; None for random ones.

    The broad network is a MobileNetV2. With `weights = "broad"` another backbone begins with ImageNet's weights.

    Raises:
        WeightsError: the file is damaged, or is missing and cannot be fetched.
    """
    if recipe.weights == "none":
        return None
    if recipe.weights == "broad" and recipe.backbone == BROAD_BACKBONE:
        return InitialWeights("broad", SHIPPED_BROAD, sha256_of(SHIPPED_BROAD))
    file = find_weights(recipe.backbone, say)
    return InitialWeights("imagenet", file, sha256_of(file))


def weights_path(backbone: str) -> Path:
    """Path of the ImageNet weights of a backbone: under `$KERAS_HOME`, by default `~/.keras`.

    One file serves every input size, because the weights of convolutions do not depend on it.
    """
    home = os.environ.get("KERAS_HOME") or str(Path.home() / ".keras")
    return Path(home) / "models" / BACKBONES[backbone].file


def find_weights(backbone: str, say: Callable[[str], None] = lambda _: None) -> Path:
    """Return the weights file, and fetch it if it is missing; `say` reports that.

    Raises:
        WeightsError: the file is damaged, or is missing and cannot be fetched.
    """
    path, url = weights_path(backbone), BACKBONES[backbone].url
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            say(f"Fetching the ImageNet weights of {backbone} from {url}; this happens once.")
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
    """Compare the file with the hash that Keras publishes. It publishes none for MobileNetV2."""
    due = BACKBONES[backbone].md5
    if not due:
        return
    try:
        found = _digest(path, "md5")
    except OSError as error:
        raise WeightsError(
            f"The weights file {path} cannot be read ({error.strerror}). Check its permissions."
        ) from error
    if found != due:
        raise WeightsError(
            f"The weights file {path} is damaged, or is not that of {backbone}: its MD5 is {found}, but Keras publishes"
            f" {due}. Delete the file: the next training fetches it again from {BACKBONES[backbone].url}."
        )


def features_origin(recipe: Recipe, weights_hash: str) -> str:
    """The part of the key of cached features that does not depend on the photos: weights, geometry, pixel scaling."""
    geometry = Geometry(recipe.input.geometry, recipe.input.size_px)
    return f"{weights_hash} {geometry.id} {geometry.size_px} {recipe.input.scaling}"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return _digest(path, "sha256")


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()

"""Which changed copies the search for near copies finds, and how many photos it joins where no copy was added."""

from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.broad.copies import COPIES, copied
from benchmarks.broad.photos import pixels
from contract.fingerprint import difference_hash
from contract.geometry import Pixels
from training.dataset.near_duplicates import find_near_duplicates
from training.network.broad_network import unit_length
from training.network.trunk import Trunk, open_trunk
from training.network.weights import initial_weights
from training.recipe.recipe import Recipe

COSINE = 0.9
CHANGED = 400  # photos of each kind that get a copy, at most
KINDS = {
    "scenes": ("scenes/train",),
    "clothing": ("clothing/train",),
    "receipts": ("foreign/receipts",),
    "screens": tuple(f"foreign/screens-{name}" for name in ("addaxai", "ai-file-sorter", "antennapod", "frigate")),
}
Floats = NDArray[np.float32]


def described(trunk: Trunk, photos: Pixels) -> Floats:
    """Their broad features at unit length."""
    return unit_length(np.vstack([trunk.features(photos[start : start + 32]) for start in range(0, len(photos), 32)]))


def groups_of(photos: Pixels, features: Floats) -> NDArray[np.int64]:
    """The group of each photo."""
    hashes = [number.to_bytes(4, "big") for number in range(len(photos))]
    bits = np.array([difference_hash(photo) for photo in photos], np.uint64)
    return np.array(find_near_duplicates(hashes, bits, np.arange(len(photos)), photos, features))


def measured(trunk: Trunk, photos: Pixels) -> dict[str, float]:
    """The share of copies that are found, each alone among all photos, and of photos that are joined without any."""
    features = described(trunk, photos)
    chosen = np.sort(np.random.default_rng(0).permutation(len(photos))[:CHANGED])
    found = {}
    for name, change in COPIES.items():
        copies = copied(photos[chosen], change)
        near = described(trunk, copies)
        found[name] = float(
            np.mean([_joined(photos, features, one, copies[n], near[n]) for n, one in enumerate(chosen)])
        )
    found[f"photos with another one at cosine {COSINE}"] = float(_has_a_neighbour(features).mean())
    started_s = process_time()
    groups = groups_of(photos, features)
    found["seconds of one core for the search"] = process_time() - started_s
    found["photos joined to another one, no copy added"] = float((np.bincount(groups)[groups] > 1).mean())
    return found


def _has_a_neighbour(features: Floats) -> NDArray[np.bool_]:
    near = features @ features.T
    np.fill_diagonal(near, 0)
    answers: NDArray[np.bool_] = near.max(axis=1) >= COSINE
    return answers


def _joined(photos: Pixels, features: Floats, one: int, copy: Pixels, near: Floats) -> bool:
    """Whether a copy is joined with its photo. Only the photos that are nearest to either can stand between them."""
    close = np.argsort(features @ features[one])[::-1][:9].tolist() + np.argsort(features @ near)[::-1][:9].tolist()
    some = np.array(list(dict.fromkeys([one, *close])))
    groups = groups_of(np.concatenate([photos[some], copy[None]]), np.vstack([features[some], near[None]]))
    return bool(groups[-1] == groups[0])


def show_near_copies(shared: Path) -> None:
    """Print the shares of each kind of photos."""
    recipe = Recipe()
    weights = initial_weights(recipe)
    assert weights is not None  # of the default
    trunk, console = open_trunk(recipe, weights), Console(width=200)
    for kind, folders in KINDS.items():
        files = [file for folder in folders for file in sorted((shared / folder).rglob("*")) if file.is_file()]
        photos = pixels(files, recipe.input.size_px)
        console.print(f"{kind} ({min(CHANGED, len(photos))} of {len(photos)}):", measured(trunk, photos))

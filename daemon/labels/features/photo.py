"""Reads a photo of the output with the model in use: its hash, its fingerprint and its embedding."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.fingerprint import fingerprint_of
from contract.session import open_model
from daemon.classify.classify import classify
from daemon.classify.loaded_model import LoadedModel
from daemon.decode.decode import decode
from daemon.decode.guard import Guard
from daemon.files.identity import look_at
from daemon.labels.features.make import Features
from daemon.photo import Embedding, Found, Read
from daemon.process.clock import Clock


class PhotoFeatures:
    """Reads photos; used by one thread.

    A model on a GPU gives its answers through buffers of one thread, so here a second session on the CPU reads.

    Args:
        loaded: returns the model in use.
        guard: decodes.
        clock: time.
    """

    def __init__(self, loaded: Callable[[], LoadedModel], guard: Guard, clock: Clock) -> None:
        self._loaded, self._guard, self._clock = loaded, guard, clock
        self._on_cpu: LoadedModel | None = None

    @property
    def id(self) -> str:
        """Id of the embeddings that the model in use gives; empty if it gives none."""
        return self._loaded().rules.embeddings

    def of(self, path: Path) -> Features | None:
        """Return the features of a photo; None if it cannot be read, or the model gives no embeddings.

        Raises:
            StoppedError: the daemon ends, so nothing is known about the photo.
        """
        loaded = self._session()
        read = self._read(path, loaded)
        if read is None or read.pixels is None:
            return None
        (answer,) = classify(loaded.model, [read.pixels])
        if answer.embedding is None:
            return None
        return Features(read.sha256, fingerprint_of(read.pixels), _kept(answer.embedding, loaded), read.taken)

    def turned(self, path: Path) -> list[Embedding]:
        """Return the embeddings of a photo in each of four turns; none where `of` returns None.

        Raises:
            StoppedError: the daemon ends, so nothing is known about the photo.
        """
        loaded = self._session()
        read = self._read(path, loaded)
        if read is None or read.pixels is None:
            return []
        turns = [np.ascontiguousarray(np.rot90(read.pixels, turn)) for turn in range(4)]
        return [_kept(one.embedding, loaded) for one in classify(loaded.model, turns) if one.embedding is not None]

    def _read(self, path: Path, loaded: LoadedModel) -> Read | None:
        identity = look_at(path)
        if identity is None or not loaded.rules.embeddings:
            return None
        read = decode(Found(path, identity), loaded.geometry, self._clock.wall_s(), self._guard, dated=True)
        if read.pixels is None:
            self._guard.check_stopped()  # what was cut short must not pass for a file that shows no photo
        return read

    def _session(self) -> LoadedModel:
        loaded = self._loaded()
        if loaded.model.provider == "cpu":
            return loaded
        if self._on_cpu is None or self._on_cpu.rules.model != loaded.rules.model:
            self._on_cpu = LoadedModel(open_model(loaded.file, "cpu"), loaded.rules, loaded.file)
        return self._on_cpu


def _kept(values: "NDArray[np.float32]", loaded: LoadedModel) -> Embedding:
    with np.errstate(over="ignore"):  # a value beyond float16 is none of an embedding
        return Embedding(loaded.rules.embeddings, values.astype("<f2").tobytes())

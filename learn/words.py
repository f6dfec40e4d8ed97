"""What learning says while it goes."""

from collections.abc import Sequence
from pathlib import Path

from common.text import printable
from contract.memory import Memory, memory_path
from learn.errors import LearnError, NothingToLearn
from learn.fitting.lessons import BESIDE, Said
from learn.label_file import Label
from learn.model.base import Base

NOBODY = "Nobody has said anything yet. Move a photo that was filed wrongly to the folder of its class."


def about(base: Base, memory: Memory | None) -> str:
    """Return what model learns, and what holds it."""
    name = base.serving.sha256[:12]
    root = "" if base.serving.sha256 == base.root.sha256 else f", learnt from {base.root.sha256[:12]}"
    if memory is None:
        return f"{name}{root}, without a memory: it changes less, because nothing shows what its own classes lose"
    photos = f"{len(memory.anchors()):,} photos to hold on to, {len(memory.gate()[1]):,} to judge by"
    return f"{name}{root}; its memory: {photos}"


def labels(said: Said) -> str:
    """Return how many labels there are, and which classes wait for more."""
    few = "".join(f"; {name} has {count}, and is learnt from 10 on" for name, count in said.few.items())
    return f"{len(said.taught):,} to learn from, {len(said.held_out):,} held out{few}"


def cannot_be_told(model: Path, said: Said, filed: int) -> LearnError:
    """Return why a new class is not learnt from its own photos alone."""
    return LearnError(
        f"{printable(said.new[0])} is a new class, and too little says what it is not: without a memory that takes"
        f" {BESIDE} filed photos of other kinds, and there are {filed}. Copy {printable(memory_path(model).name)}"
        " beside the model from where the model came from, or file more photos first."
    )


def nothing(given: Sequence[Label], said: Said) -> LearnError:
    """Return why nothing can be learnt from labels."""
    if not said.labels:
        return LearnError(
            f"None of the {len(given):,} labelled photos can be read any more. Label photos that are still there."
        )
    return NothingToLearn(f"There is nothing to learn from yet: {labels(said)}. Label more photos.")

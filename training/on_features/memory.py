"""The memory of a run: features of some photos that it learnt from, and of those that no head has learnt from.

`convert` puts it beside the model, and `learn` makes a better model from it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.publish import publish_bytes
from contract.memory import MOST_ANCHORS, Memory, MemoryFacts
from training.fit.regression import LinearHead
from training.on_features.candidate import Candidate
from training.on_features.sides import Ints, Sides
from training.run import MEMORY

_ROWS = 4096  # described at once


def write_memory(
    output: Path,
    taught: tuple[Candidate, LinearHead],
    sides: Sides,
    learnt_from: Ints,
    labels: Sequence[str],
    seed: int,
) -> MemoryFacts:
    """Write the run's model.memory.

    Args:
        output: the run folder.
        taught: the candidate that is kept, and its final head.
        learnt_from: photos that this head has learnt from. At most one of each group of near copies is remembered.
    """
    chosen, head = taught
    gate = sides.never_learnt(seed)
    first = np.unique(sides.groups[learnt_from], return_index=True)[1]
    close, others = _parted(chosen, head, np.sort(learnt_from[first]))
    anchors = np.sort(np.concatenate([close, sides.drawn(others, MOST_ANCHORS - len(close), seed)]))
    widths = [part.shape[1] for part in chosen.parts]
    none = np.zeros((0, widths[-1]), np.float32)
    memory = Memory.of(labels, widths, chosen.rows(anchors), (chosen.rows(gate), sides.labels[gate]), none)
    data = memory.to_bytes()
    publish_bytes(output / MEMORY, data)
    return memory.facts(hashlib.sha256(data).hexdigest())


def _parted(chosen: Candidate, head: LinearHead, numbers: Ints) -> tuple[Ints, Ints]:
    """The photos between whose two best classes the head hesitates most, half of what is remembered; and the rest.

    They hold the borders between classes, which photos that the head is sure of leave to later labels. The others are
    needed too, because a new class may lie anywhere (docs/measurements.md).
    """
    margins = np.empty(len(numbers), np.float32)
    for start in range(0, len(numbers), _ROWS):
        best = np.sort(head.logits(chosen.rows(numbers[start : start + _ROWS])), axis=1)
        margins[start : start + _ROWS] = best[:, -1] - best[:, -2]
    order = np.argsort(margins, kind="stable")
    return numbers[order[: MOST_ANCHORS // 2]], np.sort(numbers[order[MOST_ANCHORS // 2 :]])

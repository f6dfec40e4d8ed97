"""The memory of a run: features of some photos that it learnt from, and of those that no head has learnt from.

`convert` puts it beside the model, and `learn` makes a better model from it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.publish import publish_bytes
from contract.memory import MOST_ANCHORS, Memory, MemoryFacts
from training.on_features.candidate import Candidate
from training.on_features.sides import Ints, Sides
from training.run import MEMORY


def write_memory(
    output: Path, chosen: Candidate, sides: Sides, learnt_from: Ints, labels: Sequence[str], seed: int
) -> MemoryFacts:
    """Write the run's model.memory.

    Args:
        output: the run folder.
        chosen: the candidate that is kept.
        learnt_from: photos that its final head has learnt from. At most one of each group of near copies is remembered.
    """
    gate = sides.never_learnt(seed)
    first = np.unique(sides.groups[learnt_from], return_index=True)[1]
    anchors = sides.drawn(np.sort(learnt_from[first]), MOST_ANCHORS, seed)
    widths = [part.shape[1] for part in chosen.parts]
    none = np.zeros((0, widths[-1]), np.float32)
    memory = Memory.of(labels, widths, chosen.rows(anchors), (chosen.rows(gate), sides.labels[gate]), none)
    data = memory.to_bytes()
    publish_bytes(output / MEMORY, data)
    return memory.facts(hashlib.sha256(data).hexdigest())

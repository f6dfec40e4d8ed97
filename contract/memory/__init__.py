"""The memory of a model: a companion file `NAME.memory` beside `NAME.onnx`, with features of photos that it was made
from.

`learn` needs it to make a better model and to prove that it does no harm. Serving never reads it.
"""

from contract.memory.beside import SUFFIX, memory_path, read_memory, read_memory_bytes
from contract.memory.facts import MOST_ANCHORS, MOST_GATE, MOST_STRANGERS, MemoryFacts, memory_facts_of
from contract.memory.memory import MAX_BYTES, Memory, row_bytes

__all__ = [
    "MAX_BYTES",
    "MOST_ANCHORS",
    "MOST_GATE",
    "MOST_STRANGERS",
    "SUFFIX",
    "Memory",
    "MemoryFacts",
    "memory_facts_of",
    "memory_path",
    "read_memory",
    "read_memory_bytes",
    "row_bytes",
]

"""The daemon's settings: flags win over environment, environment over file, file over defaults.

The parts of the daemon get plain arguments and never read settings.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of `watch` and `sort`; a field has the name of its option.

    Attributes:
        review_below: `off`, `auto` or a probability.
        unfamiliar: what happens to photos that are unlike those that the model has learnt from.
        review_notes: whether a note beside each photo in review says why it is there.
        ignore: shell patterns of names that are left alone.
        gpu_memory: MB of GPU memory that the model may use; 0 for all of it.
        give_up_after: seconds.
        embeddings: whether the embeddings of filed photos are kept; `off` also removes those that were kept.
        workers: threads that read photos; 0 for one per usable core.
        decode_in: whether the threads decode themselves, or each in a child process of its own.
    """

    inbox: Path
    output: Path
    recursive: bool
    ignore: tuple[str, ...]
    model: Path
    mode: Literal["move", "copy", "hardlink", "symlink"]
    layout: str
    duplicates: Literal["keep", "set-aside"]
    device: Literal["auto", "cpu", "cuda"]
    gpu_memory: int
    review_below: Literal["off", "auto"] | float
    unfamiliar: Literal["review", "file"]
    review_notes: bool
    embeddings: Literal["on", "off"]
    give_up_after: float
    workers: int
    decode_in: Literal["auto", "threads", "processes"]
    quiet: bool
    as_json: bool
    log_format: Literal["text", "keyvalue", "json"] = "text"
    metrics_file: Path | None = None
    dry_run: bool = False

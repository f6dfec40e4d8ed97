"""The daemon's settings: flags win over environment, environment over file, file over defaults.

They are validated once, here; the parts get plain arguments and never look at settings.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Settings:
    """What `watch` and `sort` were asked to do; the fields are the options' names.

    Attributes:
        review_below: `off`, `auto` or a probability.
        ignore: shell patterns of what is left alone.
        gpu_memory: MB of the GPU's memory that the model may take; 0 for all there is.
        give_up_after: seconds.
        workers: threads that read photos; 0 for as many as there are usable cores.
        decode_in: whether those decode themselves, or each in a child process of its own.
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
    give_up_after: float
    workers: int
    decode_in: Literal["auto", "threads", "processes"]
    quiet: bool
    as_json: bool
    log_format: Literal["text", "keyvalue", "json"] = "text"
    metrics_file: Path | None = None
    dry_run: bool = False

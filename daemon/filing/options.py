"""How photos are filed, whatever model judges them."""

from dataclasses import dataclass, field

from daemon.filing.layout import Layout
from daemon.photo import Mode
from daemon.settings import Settings


@dataclass(frozen=True, slots=True)
class FilingOptions:
    """How photos are filed.

    Attributes:
        mode: move, copy or link.
        layout: where below the output.
        set_aside: whether a photo of equal content as one that is filed goes to `_duplicates`.
    """

    mode: Mode = Mode.MOVE
    layout: Layout = field(default_factory=Layout)
    set_aside: bool = False


def filing_options(settings: Settings) -> FilingOptions:
    """Return how photos are filed under these settings."""
    return FilingOptions(Mode(settings.mode), Layout(settings.layout), settings.duplicates == "set-aside")

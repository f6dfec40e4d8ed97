"""What the user asks of a run: with a model it gives the decision rules. Light, because the driver imports no model."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Policy:
    """The user's rules.

    Attributes:
        review_below: `off`, `auto`, or a probability below which a photo goes to review.
        unfamiliar: what happens to photos that are unlike those that the model has learnt from.
    """

    review_below: str | float = "off"
    unfamiliar: Literal["review", "file"] = "review"

    def facts(self) -> dict[str, Any]:
        """Return it for `results.json`."""
        return asdict(self)

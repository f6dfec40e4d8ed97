"""What a model knows beside its classes: how like the photos that it has learnt from a photo is, and its embedding.

Familiarity is the cosine of a photo's broad features to the nearest centre of what the classes look like, less half of
that to other kinds of photos. A photo below the threshold is unlike anything that the model has learnt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from common.errors import ContractError
from common.strict_json import check_mapping, check_number, short_repr

TOLERANCES = ("cpu", "cuda", "decoder")
VALUES = ("embedding", "familiarity")
MAX_DIMENSIONS = 4096
MAX_TOLERANCE = 0.5
"""With a larger tolerance a replay could hardly fail."""
_FIELDS = ("id", "dimensions", "centres", "threshold", "kept", "kept_at_least", "photos", "tolerance")


def _tolerance() -> Mapping[str, Mapping[str, float]]:
    return {name: {"cpu": 1e-4, "cuda": 1e-3, "decoder": 5e-2} for name in VALUES}


@dataclass(frozen=True, slots=True)
class Familiarity:
    """Every field is checked when one is created or read; raises ContractError.

    Attributes:
        id: of the broad network, its geometry, size and precision. Embeddings can be compared only under one id.
        dimensions: length D of an embedding.
        centres: number of centres.
        threshold: familiarity below which a photo is unfamiliar.
        kept: share of the photos below that stay above the threshold.
        kept_at_least: the share of good photos that is kept, by a lower confidence bound; None where too few photos
            were held out to promise one.
        photos: photos of the classes that no centre was made from, which chose the threshold.
        tolerance: largest difference from the golden sample, for a value of the embedding and for the familiarity, as
            `Contract.tolerance`.
    """

    id: str
    dimensions: int
    centres: int
    threshold: float
    kept: float
    kept_at_least: float | None
    photos: int
    tolerance: Mapping[str, Mapping[str, float]] = field(default_factory=_tolerance)

    def __post_init__(self) -> None:
        if not 0 < len(self.id) <= 80 or not self.id.isprintable():
            raise ContractError(f"The id of the embeddings is {short_repr(self.id)}, not a short text.")
        for name, least, most in (("dimensions", 1, MAX_DIMENSIONS), ("centres", 1, 1_000_000), ("photos", 0, 10**12)):
            value = getattr(self, name)
            if type(value) is not int:
                raise ContractError(f"The {name} of the familiarity is {short_repr(value)}, not a whole number.")
            check_number(f"{name} of the familiarity", value, least=least, most=most)
        check_number("threshold of familiarity", self.threshold, least=-1.0, most=1.0)
        check_number("share of photos that familiarity keeps", self.kept, least=0.0, most=1.0)
        if self.kept_at_least is not None:
            check_number("promised share of photos that familiarity keeps", self.kept_at_least, least=0.0, most=1.0)
        self._check_tolerance()

    def _check_tolerance(self) -> None:
        check_mapping("tolerance of the familiarity", self.tolerance)
        if set(self.tolerance) != set(VALUES):
            raise ContractError(f"The familiarity must give tolerances for {' and '.join(VALUES)} and no other value.")
        for name, limits in self.tolerance.items():
            check_mapping(f"tolerance of the {name}", limits)
            if set(limits) != set(TOLERANCES):
                raise ContractError(f"The tolerance of the {name} must be given for each of {', '.join(TOLERANCES)}.")
            for provider in TOLERANCES:
                check_number(f"{name} tolerance {provider!r}", limits[provider], above=0.0, most=MAX_TOLERANCE)

    def to_value(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = {name: getattr(self, name) for name in _FIELDS}
        return plain | {"tolerance": {name: dict(limits) for name, limits in self.tolerance.items()}}

    def __str__(self) -> str:
        if self.kept_at_least is None:
            return (
                f"photos with a familiarity below {self.threshold:.3f} go to review; only {self.photos} photos"
                " chose that threshold, so how many good ones go there cannot be promised"
            )
        return (
            f"photos with a familiarity below {self.threshold:.3f} go to review; at most"
            f" {1 - self.kept_at_least:.1%} of good photos do ({self.photos} held-out photos)"
        )


def familiarity_of(value: object) -> Familiarity | None:
    """Read the value that `to_value` wrote; `false` stands for a model without familiarity.

    Raises:
        ContractError: it is neither, or a value is out of range.
    """
    if value is False:
        return None
    if not isinstance(value, dict) or value.keys() != set(_FIELDS):
        raise ContractError(f"The familiarity of the contract is {short_repr(value)}, not false or its eight values.")
    if not isinstance(value["id"], str):
        raise ContractError(f"The id of the embeddings is {short_repr(value['id'])}, not a short text.")
    return Familiarity(**cast("dict[str, Any]", value))

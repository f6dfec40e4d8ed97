"""What can stop a conversion. Nothing is published after any of these, and an older file at the output stays."""

from dataclasses import dataclass

from contract.errors import PhototriageError

UNCHANGED = "Nothing was written."


class ConvertError(PhototriageError):
    """Base of everything that stops a conversion."""


class OutputError(ConvertError):
    """The model cannot be written where it was asked for."""


class ExportError(ConvertError):
    """The run's network cannot be written as ONNX, or not by the rules of the contract."""


class ParityError(ConvertError):
    """The exported file does not compute what Keras computes; one subclass for each way to differ."""


class NameMismatchError(ParityError):
    """The graph's inputs or outputs are not called what the contract calls them."""


class TypeMismatchError(ParityError):
    """An input or output holds another type of number."""


class ShapeMismatchError(ParityError):
    """An input or output has another shape."""


class NotProbabilitiesError(ParityError):
    """An answer is not finite, or does not add up to one."""


@dataclass(eq=False)  # an exception must stay hashable
class AnswerMismatchError(ParityError):
    """Base of the two disagreements about a photo.

    Attributes:
        photo: the one with the largest difference, by name.
        keras: (label, probability) of Keras's first choice.
        onnx: (label, probability) of ONNX Runtime's first choice.
        difference: largest difference of a probability on this photo.
        limit: the largest that is allowed.
        affected: how many photos differ in this way, of `photos`.
        photos: how many were compared.
    """

    photo: str
    keras: tuple[str, float]
    onnx: tuple[str, float]
    difference: float
    limit: float
    affected: int
    photos: int

    def _answers(self) -> str:
        return (
            f"Keras says {self.keras[0]} {self.keras[1]:.6f}, ONNX Runtime says {self.onnx[0]} {self.onnx[1]:.6f}, "
            f"and a probability differs by {self.difference:.2g} (limit {self.limit:.0e})"
        )


class TopClassMismatchError(AnswerMismatchError):
    """Another class comes first, and the two first ones are not as good as tied."""

    def __str__(self) -> str:
        return (
            f"The export files photos elsewhere: on {self.photo} {self._answers()}; {self.affected} of {self.photos} "
            f"photos change their class. {UNCHANGED} Please report it with the run's run.json."
        )


class ValueMismatchError(AnswerMismatchError):
    """A probability is off by more than the tolerance, though the same class comes first."""

    def __str__(self) -> str:
        return (
            f"The export computes other probabilities: on {self.photo} {self._answers()}; {self.affected} of "
            f"{self.photos} photos are past the limit. {UNCHANGED} Please report it with the run's run.json."
        )


class PrecisionError(ConvertError):
    """Base of what stops a smaller precision than fp32."""


class TooFewPhotosError(PrecisionError):
    """There are not enough validation photos left to measure on."""


class AccuracyDropError(PrecisionError):
    """The smaller precision files more photos wrongly than was allowed."""


class CheckError(ConvertError):
    """A model file breaks a rule of ONNX."""

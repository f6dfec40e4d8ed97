"""Errors that stop a conversion. After any of them nothing is published, and an older file at the output stays."""

from dataclasses import dataclass

from common.errors import PhototriageError

UNCHANGED = "Nothing was written."


class ConvertError(PhototriageError):
    """Base of everything that stops a conversion."""


class OutputError(ConvertError):
    """The model cannot be written to the output."""


class ExportError(ConvertError):
    """The network of the run cannot be exported as ONNX, or the export breaks the contract."""


class ParityError(ConvertError):
    """The exported file does not compute what Keras computes. Each kind of difference has a subclass."""


class NameMismatchError(ParityError):
    """The names of the inputs or outputs are not those of the contract."""


class TypeMismatchError(ParityError):
    """An input or output has another data type."""


class ShapeMismatchError(ParityError):
    """An input or output has another shape."""


class NotProbabilitiesError(ParityError):
    """The probabilities of a photo are not finite, or do not add up to one."""


class EmbeddingMismatchError(ParityError):
    """An embedding or a familiarity differs from Keras's."""


@dataclass(eq=False)  # an exception must stay hashable
class AnswerMismatchError(ParityError):
    """Base of the two ways in which Keras and ONNX Runtime disagree about a photo.

    Attributes:
        photo: name of the photo with the largest difference.
        keras: (label, probability) of the top class in Keras.
        onnx: (label, probability) of the top class in ONNX Runtime.
        difference: largest difference of a probability on this photo.
        limit: largest difference that is allowed.
        affected: number of photos that differ in this way.
        photos: number of photos that were compared.
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
    """The top class differs, and the two best classes are not tied."""

    def __str__(self) -> str:
        return (
            f"The export predicts other classes: on {self.photo} {self._answers()}. {self.affected} of {self.photos} "
            f"photos change their class. {UNCHANGED} Please report this with the run.json of the run."
        )


class ValueMismatchError(AnswerMismatchError):
    """A probability differs by more than the tolerance, but the top class is the same."""

    def __str__(self) -> str:
        return (
            f"The export computes other probabilities: on {self.photo} {self._answers()}. {self.affected} of "
            f"{self.photos} photos exceed the limit. {UNCHANGED} Please report this with the run.json of the run."
        )


class RecordedMismatchError(ConvertError):
    """The export does not give the answers that training recorded in predictions.csv."""


class MemoryMismatchError(ConvertError):
    """The memory of the run is missing or damaged, or is not that of its network."""


class ForeignPicturesError(ConvertError):
    """None of the pictures of no class can be read, or the run has no memory for them."""


class PrecisionError(ConvertError):
    """Base of the errors that stop fp16 or int8."""


class TooFewPhotosError(PrecisionError):
    """Too few validation photos can be read to measure the accuracy."""


class AccuracyDropError(PrecisionError):
    """The smaller precision loses more accuracy than --max-drop allows."""


class CheckError(ConvertError):
    """A model file breaks a rule of ONNX."""

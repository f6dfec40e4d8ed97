"""Classify photos that were read, and judge them: each gets its judgement and loses its pixels."""

from collections.abc import Callable, Iterable

from common.errors import GpuError, GpuMemoryError
from contract.geometry import Pixels
from daemon.classify.buckets import Buckets
from daemon.classify.classify import Answer, classify
from daemon.classify.decide import judge
from daemon.classify.known import heed
from daemon.classify.loaded_model import LoadedModel
from daemon.classify.unjudged import AnswerCheck
from daemon.photo import NOT_JUDGED, Judgement, Photo
from daemon.words.words import EMPTY, Words


class Judging:
    """Judges photos, and keeps them in the inbox while the model or the GPU gives no scores; any thread may use it.

    Args:
        buckets: batch sizes on CUDA that are known to fit.
        hold_up: called with the reason when photos have to wait.
        gpu_lost: called with the error, and with whether the GPU worked before, once this process cannot use it any
            more; if it returns, the error is raised.
    """

    def __init__(
        self,
        buckets: Buckets,
        hold_up: Callable[[str], None],
        gpu_lost: Callable[[GpuError, bool], None],
    ) -> None:
        self._buckets = buckets
        self._hold_up = hold_up
        self._gpu_lost = gpu_lost
        self._answers = AnswerCheck()
        self._worked = False

    def judge(self, photos: list[Photo], loaded: LoadedModel, words: Words = EMPTY) -> None:
        """Set the judgement of each photo, all by one model and the words of people.

        Raises:
            GpuError: the GPU cannot be used any more.
        """
        answers: list[Answer] = []
        trouble = ""
        try:
            trouble = self._classify(photos, loaded, answers)
        except GpuMemoryError as error:
            trouble = str(error)
        except GpuError as error:
            self._gpu_lost(error, self._worked)
            raise
        if trouble:
            self._hold_up(trouble)
        judge_photos(photos, loaded, answers, words, trouble)

    def _classify(self, photos: list[Photo], loaded: LoadedModel, answers: list[Answer]) -> str:
        """Add the answers; return what is wrong with the model, or an empty text if it works."""
        pictures = pictures_of(photos)
        if not pictures:
            return ""
        answers.extend(classify(loaded.model, pictures, self._buckets))  # after an error it holds those before
        self._worked = True
        return self._answers.trouble(loaded.model, answers)


def pictures_of(photos: list[Photo]) -> list[Pixels]:
    """Return what is to be classified."""
    return [photo.read.pixels for photo in photos if photo.read.pixels is not None]


def judge_photos(
    photos: list[Photo], loaded: LoadedModel, answers: Iterable[Answer], words: Words = EMPTY, trouble: str = ""
) -> None:
    """Set the judgements and drop the pixels.

    Args:
        photos: those that are judged already, or wait to be decoded in another way, stay as they are.
        loaded: the model that gave the answers, and its rules.
        answers: one for each of `pictures_of(photos)`, or fewer after an error.
        words: of people, which win.
        trouble: why photos without scores have to wait; empty if each such photo is itself at fault.
    """
    given = iter(answers)
    for photo in photos:
        read, answer = photo.read, None
        if photo.judgement is not NOT_JUDGED or read.must_be_isolated:
            continue
        if read.pixels is not None:
            answer = next(given, None)
            photo.read = read.without_pixels()
            if answer is not None:
                photo.times_ms["infer"] = answer.infer_ms
            if trouble and (answer is None or answer.scores is None):
                photo.judgement = Judgement(reason=trouble)
                continue
        judgement = judge(photo.found, read, answer, loaded.rules)
        photo.judgement = heed(judgement, photo.found, read, words) if words else judgement

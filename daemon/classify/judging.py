"""Classify photos that were read, and judge them: each gets its judgement and loses its pixels."""

from collections.abc import Callable, Mapping

from common.errors import GpuError, GpuMemoryError
from daemon.classify.buckets import Buckets
from daemon.classify.classify import Answer, classify
from daemon.classify.decide import judge
from daemon.classify.loaded_model import LoadedModel
from daemon.classify.unjudged import Answers
from daemon.photo import NOT_JUDGED, Judgement, Photo


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
        self._answers = Answers()
        self._worked = False

    def judge(self, photos: list[Photo], loaded: LoadedModel) -> None:
        """Set the judgement of each photo, all by one model.

        Raises:
            GpuError: the GPU cannot be used any more.
        """
        answers: dict[int, Answer] = {}
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
        judge_photos(photos, loaded, answers, trouble)

    def _classify(self, photos: list[Photo], loaded: LoadedModel, answers: dict[int, Answer]) -> str:
        """Add the answers; return what is wrong with the model, or an empty text if it works."""
        ready = [photo for photo in photos if photo.read.pixels is not None]
        if not ready:
            return ""
        classify_photos(ready, loaded, answers, self._buckets)
        self._worked = True
        return self._answers.look(loaded.model, answers.values())


def classify_photos(
    photos: list[Photo], loaded: LoadedModel, answers: dict[int, Answer], buckets: Buckets | None = None
) -> None:
    """Add the model's answer for each photo that has pixels, by its `id`.

    Raises:
        GpuError: as from `classify`; the answers that came before are there.
    """
    ready = [photo for photo in photos if photo.read.pixels is not None]
    given = classify(loaded.model, [photo.read.pixels for photo in ready if photo.read.pixels is not None], buckets)
    for photo, answer in zip(ready, given, strict=True):
        answers[id(photo)] = answer
        photo.times_ms["infer"] = answer.infer_ms


def judge_photos(photos: list[Photo], loaded: LoadedModel, answers: Mapping[int, Answer], trouble: str = "") -> None:
    """Set the judgements and drop the pixels.

    Args:
        photos: those that are judged already, or wait to be decoded in another way, stay as they are.
        loaded: the model that gave the answers, and its rules.
        answers: by `id` of the photo.
        trouble: why photos without scores have to wait; empty if each such photo is itself at fault.
    """
    for photo in photos:
        if photo.judgement is not NOT_JUDGED or photo.read.must_be_isolated:
            continue
        answer = answers.get(id(photo))
        if trouble and photo.read.pixels is not None and (answer is None or answer.scores is None):
            photo.judgement = Judgement(reason=trouble)
        else:
            photo.judgement = judge(photo.found, photo.read, answer, loaded.rules)
        photo.read = photo.read.without_pixels()

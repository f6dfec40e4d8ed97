"""What the user sees: one line per photo, each problem once, and a summary at the end."""

import os
import resource
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from common.text import printable
from daemon.filing.companions.waiting import MAX_WAITING
from daemon.intake.filters import PathFilter
from daemon.intake.walk import scan
from daemon.photo import DUPLICATES_FOLDER, FAILED_FOLDER, REVIEW_FOLDER, Outcome, Photo
from daemon.process.log_level import Level
from daemon.process.parallel import SHARE_TOGETHER, for_each
from daemon.status.log import Form, Log, LogLine, facts_of
from daemon.status.obstacles import Obstacles, OwnProblems, is_own_problem
from daemon.status.progress import progress_bar

LOOK_S = 1.0
"""How long the summary may check what is still in the inbox."""
MAX_PLACES = 4096
"""Folders whose path below the output is remembered."""


class Report:
    """Prints what happens; any thread may call its methods.

    Args:
        output: root of the class folders; destinations are shown below it.
        as_json: one JSON object a line on standard output, for scripts.
        quiet: no line per photo.
        form: of the other lines.
        patience_s: how long to wait for a reader of standard output that reads nothing; 0 for not at all.
    """

    def __init__(
        self, output: Path, *, as_json: bool, quiet: bool, form: Form = "text", patience_s: float = 0.0
    ) -> None:
        self._output = output
        self._log = Log(form, as_json=as_json, patience_s=patience_s)
        self._as_json = as_json
        self._quiet = quiet
        self._lock = threading.Lock()
        self._obstacles = Obstacles()
        self._own = OwnProblems()
        self._places: dict[str, str] = {}
        self._started_s = time.monotonic()
        self._advance: Callable[[], None] = _nothing
        self.counts: Counter[str] = Counter()
        self.reviews: Counter[str] = Counter()
        self.waiting: set[Path] = set()
        self._lonely: set[Path] = set()
        self.cut_short = False

    def say(self, sentence: str, level: Level = Level.WARNING, /) -> None:
        """Report something about the whole on standard error."""
        self._log.err(LogLine(level, "note", sentence))

    def last_word(self, sentence: str) -> None:
        """Report something before the process ends or is replaced, and wait until it is written."""
        self.say(sentence)
        self._log.flush()

    def event(self, name: str, sentence: str, **facts: Any) -> None:
        """Report something that scripts read too."""
        line = LogLine(Level.NOTICE, name, sentence, lambda: facts)
        if self._as_json:
            self._log.out([line])
        else:
            self._log.err(line)

    def photos(self, photos: list[Photo]) -> None:
        """Report finished photos, in one piece."""
        lines: list[LogLine] = []
        for photo in photos:
            with self._lock:
                self._count(photo)
                if photo.filing.outcome is not Outcome.AGAIN:  # this photo will be tried again
                    self._advance()
            if photo.filing.outcome in _MOVED and photo.filing.follows is None:
                over = self._obstacles.resolved(photo)
                lines += [] if self._as_json else [_repeated(obstacle, count) for obstacle, count in over]
            if photo.filing.outcome not in _STAY:
                self._own.resolved(photo)
            if photo.filing.is_told:
                continue
            if self._quiet and photo.filing.outcome in (Outcome.FILED, Outcome.REVIEW):
                continue
            sentence = "" if self._as_json else self._sentence(photo)
            if sentence or self._as_json:
                event = "photo" if photo.filing.follows is None else "companion"
                lines.append(
                    LogLine(_LEVELS.get(photo.filing.outcome, Level.INFO), event, sentence, partial(facts_of, photo))
                )
        self._log.out(lines)

    def summary(self, *, once: bool) -> None:
        """Report the counts since the beginning; after one pass, with the rate."""
        seconds = time.monotonic() - self._started_s
        self.waiting = _there(self.waiting)  # the user may have removed some
        self.count_lonely()
        moved = sum(count for name, count in self.counts.items() if name not in _NOT_MOVED)
        rate = f" in {seconds:.1f} s, {moved / seconds:.0f} photos/s" if once else ""
        stay = f"; {len(self.waiting)} could not be filed yet and stay in the inbox" if self.waiting else ""
        facts = {"seconds": round(seconds, 3), **self.sums()}
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        begin = "stopped early; sorted" if self.cut_short else "sorted" if once else "stopped; filed"
        sentence = f"{begin} {moved} photo{'s' * (moved != 1)}{rate}: {self.counted()}{stay}"
        self.event("summary", sentence, **facts, peak_memory_mb=round(peak_mb))

    def sums(self) -> dict[str, Any]:
        """Return the counts for scripts."""
        return {"counts": dict(self.counts), "reviews": dict(self.reviews), "not_yet": len(self.waiting)}

    def counted(self) -> str:
        """Return the counts as text: classes, then `_review` and the like, then what did not move; `-` for nothing."""
        order = sorted(self.counts, key=lambda name: (name in _NOT_MOVED, name.startswith("_"), name))
        words = {name: f"{printable(name)} {self.counts[name]}" for name in order if self.counts[name]}
        if words.get(REVIEW_FOLDER) and self.reviews:
            words[REVIEW_FOLDER] += f" ({', '.join(f'{why} {count}' for why, count in sorted(self.reviews.items()))})"
        return ", ".join(words.values()) or "-"

    def count_lonely(self) -> None:
        """Count the companions whose photo never came among what is left in the inbox."""
        with self._lock:
            self.counts[_LEFT] += len(_there(self._lonely))
            self._lonely.clear()
            self.counts = +self.counts  # without zeros

    @contextmanager
    def progress(self, path_filter: PathFilter) -> Iterator[None]:
        """Show a progress bar on a terminal for one pass; the photos of the inbox are counted first."""
        if self._as_json or not os.isatty(2):
            yield
            return
        with progress_bar(self._log.show, sum(1 for _ in scan(path_filter))) as self._advance:
            yield
        self._log.clear()

    def close(self) -> None:
        """Write the waiting lines as long as the reader reads."""
        self._log.close()

    def _count(self, photo: Photo) -> None:
        self.waiting.discard(photo.path)
        self._lonely.difference_update((photo.path, *(part.path for part in photo.filing.companions)))
        self.counts[_COMPANIONS] += len(photo.filing.companions) + bool(photo.filing.follows_row)
        if photo.filing.follows is not None:
            return
        if photo.filing.outcome is Outcome.LEFT and photo.found.is_companion and len(self._lonely) < MAX_WAITING:
            self._lonely.add(photo.path)
        elif photo.filing.outcome is Outcome.AGAIN:
            if len(self.waiting) < MAX_WAITING:  # bounded, because a photo that the user removes is not reported
                self.waiting.add(photo.path)
        elif photo.filing.outcome is Outcome.FILED:
            self.counts[photo.filing.folder] += 1
        else:
            self.counts[_COUNTED_AS[photo.filing.outcome]] += 1
            if photo.filing.outcome is Outcome.REVIEW and photo.judgement.review_reason is not None:
                self.reviews[photo.judgement.review_reason.value] += 1

    def _sentence(self, photo: Photo) -> str:
        name = printable(photo.found.relpath / photo.path.name if photo.found.relpath.parts else photo.path.name)
        if photo.filing.follows is not None:  # its photo's line names it, unless that was said before
            why = "in place of the one filed before" if photo.filing.replaces else "because it belongs to its photo"
            return f"{name} -> {self._place(photo)}, {why}" if photo.filing.follows_row else ""
        match photo.filing.outcome:
            case Outcome.FILED | Outcome.REVIEW | Outcome.FAILED | Outcome.DUPLICATE:
                return f"{name} -> {self._where(photo)}"
            case Outcome.LEFT if self._own.is_new(photo):
                return f"{name} stays in the inbox: {photo.filing.reason}"
            case Outcome.AGAIN if is_own_problem(photo) and self._own.is_new(photo):
                return f"{name} stays in the inbox for now: {photo.filing.reason}"
            case Outcome.AGAIN if not is_own_problem(photo) and self._obstacles.is_new(photo):
                return f"{name} stays in the inbox for now, like others with this problem: {photo.filing.reason}"
        return ""

    def _where(self, photo: Photo) -> str:
        place = self._place(photo)
        took = f"{_took_ms(photo):.0f} ms"
        parts = ", ".join(printable(part.path.name) for part in photo.filing.companions)
        ending = f", with {parts}" if parts else ""
        if photo.filing.outcome in (Outcome.FAILED, Outcome.DUPLICATE):
            return f"{place}: {photo.filing.reason}{ending}"
        unsure = f" ({photo.filing.reason})" if photo.filing.reason else ""
        return f"{place} {photo.judgement.probability:.2f} {took}{unsure}{ending}"

    def _place(self, photo: Photo) -> str:
        assert photo.filing.destination is not None
        folder, name = os.path.split(photo.filing.destination)
        if folder not in self._places:
            if len(self._places) >= MAX_PLACES:
                self._places.clear()
            self._places[folder] = printable(os.path.relpath(folder, self._output))
        place = self._places[folder]
        return place if name == photo.path.name else f"{place}/{printable(name)}"


def _took_ms(photo: Photo) -> float:
    """Time from the drop to the class folder. A scan does not know the drop: then the sum of the stages."""
    if photo.found.announced:
        return photo.times_ms["total"]
    return sum(photo.times_ms.get(stage, 0.0) for stage in ("read", "decode", "infer", "file"))


def _there(paths: set[Path]) -> set[Path]:
    """Return those that still exist, asking for at most `LOOK_S` because a share may be slow at the end."""
    end_s = time.monotonic() + LOOK_S
    gone: list[Path] = []

    def look(path: Path) -> None:
        if time.monotonic() < end_s and not os.path.lexists(path):
            gone.append(path)

    for_each(paths, look, SHARE_TOGETHER if len(paths) > SHARE_TOGETHER else 1, "summary", None)
    return paths.difference(gone)


def _nothing() -> None:
    pass


_MOVED = (Outcome.FILED, Outcome.REVIEW, Outcome.FAILED, Outcome.DUPLICATE)
_STAY = (Outcome.LEFT, Outcome.AGAIN)
_LEVELS = {Outcome.FAILED: Level.WARNING, Outcome.AGAIN: Level.WARNING}
_LEFT, _COMPANIONS = "left in the inbox", "companion files"
_COUNTED_AS = {
    Outcome.REVIEW: REVIEW_FOLDER,
    Outcome.FAILED: FAILED_FOLDER,
    Outcome.DUPLICATE: DUPLICATES_FOLDER,
    Outcome.LEFT: _LEFT,
    Outcome.GONE: "gone meanwhile",
}

_NOT_MOVED = (_LEFT, _COUNTED_AS[Outcome.GONE], _COMPANIONS)
"""Counts of everything that is not a moved photo."""


def _repeated(obstacle: str, count: int) -> LogLine:
    sentence = f"resolved; repeated {count:,} more times: {obstacle}"
    return LogLine(Level.NOTICE, "repeated", sentence, lambda: {"reason": obstacle, "times": count})

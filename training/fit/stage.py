"""The stages of a recipe that learn from photos, each with the settings that its loop takes, and when each is over."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from training.fit.epoch import HEAD, TUNE, Epoch
from training.fit.schedule import lowered, rate
from training.recipe.recipe import FineTune, Head, Recipe


@dataclass(frozen=True)
class Stage:
    """One stage.

    name: as an epoch of the history has it. settings: how it learns.
    """

    name: str
    settings: FineTune

    def epochs_of(self, history: Sequence[Epoch]) -> list[Epoch]:
        """Those of this stage; epoch 0 is before any stage on photos."""
        return [epoch for epoch in history if epoch.epoch and epoch.stage == self.name]

    def last(self, history: Sequence[Epoch]) -> int:
        """The number of the epoch that this stage would end with."""
        return self._begun(history) + self.settings.epochs

    def why_over(self, history: Sequence[Epoch]) -> str | None:
        """What ended the stage, in words, empty when it simply did all of its epochs; None while it is not over."""
        done = history[-1].epoch
        best = max(epoch.epoch for epoch in history if epoch.best)
        if self.settings.patience and done - max(best, self._begun(history)) >= self.settings.patience:
            return f"No better for {self.settings.patience} epochs: stopped early."
        return "" if done >= self.last(history) else None

    def rates(self, history: Sequence[Epoch], steps: int) -> Iterator[float]:
        """The learning rate of each step of the epoch that follows, of which each has `steps`."""
        settings, mine = self.settings, self.epochs_of(history)
        peak, cosine = settings.learning_rate, settings.schedule == "cosine"
        if settings.schedule == "plateau":
            losses = (epoch.log_loss for epoch in mine)
            peak *= lowered(losses, settings.plateau_patience, settings.plateau_factor)
        for step in range(len(mine) * steps, (len(mine) + 1) * steps):
            yield rate(step, steps * settings.epochs, peak, settings.warmup, cosine)

    def _begun(self, history: Sequence[Epoch]) -> int:
        """The last epoch before this stage."""
        return history[-1].epoch - len(self.epochs_of(history))


def stages_left(recipe: Recipe, history: Sequence[Epoch]) -> list[Stage]:
    """The stages from the one of the last epoch on, which may be over; all of them before the first epoch."""
    stages = list(stages_of(recipe))
    under_way = [place for place, stage in enumerate(stages) if stage.epochs_of(history)]
    return stages[max(under_way, default=0) :]


def stages_of(recipe: Recipe) -> Iterator[Stage]:
    """The stages that learn from photos, in their order."""
    if recipe.head.on == "photos" and recipe.head.epochs:
        yield head_stage(recipe.head)
    if recipe.fine_tune.epochs:
        yield Stage(TUNE, recipe.fine_tune)


def head_stage(head: Head) -> Stage:
    """The head's stage: fine-tuning with nothing of the backbone unfrozen, nothing averaged and nothing smoothed."""
    shared = {item.name for item in fields(Head)} & {item.name for item in fields(FineTune)}
    values = {name: getattr(head, name) for name in shared}
    return Stage(HEAD, FineTune(unfreeze=0, label_smoothing=0.0, averaging=0.0, **values))

"""The stages of a recipe that train on photos: their settings, learning rates, and ends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

from training.fit.epoch import HEAD, TUNE, Epoch
from training.fit.schedule import learning_rate, plateau_share
from training.recipe.learning import FineTune, Head
from training.recipe.recipe import Recipe


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: name of the stage in the history.
        settings: how the stage learns.
    """

    name: str
    settings: FineTune

    def epochs_of(self, history: Sequence[Epoch]) -> list[Epoch]:
        """The epochs of this stage; epoch 0 precedes all stages on photos."""
        return [epoch for epoch in history if epoch.epoch and epoch.stage == self.name]

    def last(self, history: Sequence[Epoch]) -> int:
        """The number of the last planned epoch of this stage."""
        return self._begun(history) + self.settings.epochs

    def end_reason(self, history: Sequence[Epoch]) -> str | None:
        """Why the stage ended, in words; empty if it did all its epochs; None while it runs."""
        done = history[-1].epoch
        best = max(epoch.epoch for epoch in history if epoch.best)
        if self.settings.patience and done - max(best, self._begun(history)) >= self.settings.patience:
            return f"No improvement for {self.settings.patience} epochs: stopped early."
        return "" if done >= self.last(history) else None

    def rates(self, history: Sequence[Epoch], steps: int) -> Iterator[float]:
        """The learning rate of each of the `steps` steps of the next epoch."""
        settings, mine = self.settings, self.epochs_of(history)
        peak, cosine = settings.learning_rate, settings.schedule == "cosine"
        if settings.schedule == "plateau":
            losses = (epoch.log_loss for epoch in mine)
            peak *= plateau_share(losses, settings.plateau_patience, settings.plateau_factor)
        for step in range(len(mine) * steps, (len(mine) + 1) * steps):
            yield learning_rate(step, steps * settings.epochs, peak, settings.warmup, cosine)

    def _begun(self, history: Sequence[Epoch]) -> int:
        """The last epoch before this stage."""
        return history[-1].epoch - len(self.epochs_of(history))


def remaining_stages(recipe: Recipe, history: Sequence[Epoch]) -> list[Stage]:
    """The stages from that of the last epoch on, which may have ended; all stages before the first epoch."""
    stages = list(stages_of(recipe))
    under_way = [place for place, stage in enumerate(stages) if stage.epochs_of(history)]
    return stages[max(under_way, default=0) :]


def kept_in_words(history: Sequence[Epoch]) -> str:
    """Which of two stages on photos holds the epoch that is kept; empty if there was one stage or none."""
    if len({epoch.stage for epoch in history if epoch.epoch}) < 2:
        return ""
    best = next(epoch for epoch in reversed(history) if epoch.best)
    if best.stage == TUNE:
        return f"Epoch {best.epoch} of fine-tuning is kept: it is better than the best epoch of the head."
    before = "The weights from before training are" if not best.epoch else f"Epoch {best.epoch} of the head is"
    return f"{before} kept, because fine-tuning brought no better epoch."


def stages_of(recipe: Recipe) -> Iterator[Stage]:
    """The stages that train on photos, in their order."""
    if recipe.head.on == "photos" and recipe.head.epochs:
        yield head_stage(recipe.head)
    if recipe.fine_tune.epochs:
        yield Stage(TUNE, recipe.fine_tune)


def head_stage(head: Head) -> Stage:
    """The head stage: fine-tuning with a frozen backbone, without averaging and label smoothing."""
    shared = {item.name for item in fields(Head)} & {item.name for item in fields(FineTune)}
    values = {name: getattr(head, name) for name in shared}
    return Stage(HEAD, FineTune(unfreeze=0, label_smoothing=0.0, averaging=0.0, **values))


def with_least_steps(recipe: Recipe, photos: int) -> Recipe:
    """The recipe with as many epochs of fine-tuning as its `least_steps` take on so many training photos."""
    stage = recipe.fine_tune
    steps = max(1, photos // stage.batch_size)
    return replace(recipe, fine_tune=replace(stage, epochs=max(stage.epochs, -(-stage.least_steps // steps))))

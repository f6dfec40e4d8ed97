"""Which model is in use now: asked once for each batch, so that one model alone classifies the photo."""

from contract.session import Model
from daemon.classify.loaded_model import LoadedModel, Rules, rules_of
from daemon.filing.layout import Layout
from daemon.settings import Settings


class ActiveModel:
    """Holds the model in use. A stage asks for it once per call, and any thread may replace it.

    Attributes:
        current: the model for all photos that are decoded from now on.
    """

    def __init__(self, current: LoadedModel) -> None:
        self.current = current


def rules_for(settings: Settings, model: Model) -> Rules:
    """Return the decision rules of a model under these settings."""
    dated = Layout(settings.layout).needs_date
    return rules_of(
        model,
        settings.review_below,
        unfamiliar=settings.unfamiliar,
        give_up_after_s=settings.give_up_after,
        dated=dated,
    )

"""Settings without effect: they are accepted, so that older recipe files are still read, ignored, and said."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType

from training.recipe.recipe import Recipe
from training.recipe.settings import flatten, known_keys

FORMER: Mapping[str, str] = MappingProxyType({"fine_tune.dropout": "network.dropout"})
"""Settings of earlier versions, and what replaced each."""


def without_effect(recipes: Sequence[Recipe], explicit: Collection[str] = ()) -> Iterator[str]:
    """Say in a sentence for each reason which settings have no effect in any of the recipes.

    A recipe file that a run left holds every setting, so settings at their defaults are only named in `explicit`.

    Args:
        recipes: one recipe, or those of the cells of a grid.
        explicit: settings that the user has given on the command line, or that are axes of the grid.
    """
    reasons = [_reasons(recipe) for recipe in recipes]
    defaults = flatten(asdict(Recipe()))
    changed = {key for recipe in recipes for key, value in flatten(asdict(recipe)).items() if value != defaults[key]}
    told: dict[str, list[str]] = {}
    for key in known_keys(recipes[0]):
        if all(key in idle for idle in reasons) and (key in explicit or key in changed):
            told.setdefault(reasons[0][key], []).append(key)
    for why, keys in told.items():
        has, is_ = ("have", "are") if len(keys) > 1 else ("has", "is")
        yield f"{_listed(keys)} {has} no effect, because {why}, and {is_} ignored."


def _reasons(recipe: Recipe) -> dict[str, str]:
    """Why a setting has no effect, for each that has none; the first reason counts."""
    reasons: dict[str, str] = {}
    for why, keys in _rules(recipe):
        for key in keys:
            reasons.setdefault(key, why)
    return reasons


def _rules(recipe: Recipe) -> Iterator[tuple[str, set[str]]]:
    head, tune = recipe.head, recipe.fine_tune
    if not head.epochs:
        yield "head.epochs is 0", _section("head") - {"head.epochs"}
    yield from _rules_of_regression(recipe)
    if head.on == "photos":
        yield "head.on is photos", {"head.least_steps"}
    if not tune.epochs:
        # Photos for a head on photos have this size too, and the layers of the head have this momentum.
        shared = {"fine_tune.scale"} if recipe.learns_from_photos else set()
        shared |= {"fine_tune.batch_norm_momentum"} if recipe.network.batch_norm else set()
        yield "fine_tune.epochs is 0", _section("fine_tune") - {"fine_tune.epochs"} - shared
    for name, stage in (("head", head), ("fine_tune", tune)):
        if stage.schedule != "plateau":
            yield f"{name}.schedule is {stage.schedule}", {f"{name}.plateau_patience", f"{name}.plateau_factor"}
    if not recipe.pseudo_labels.rounds:
        yield "pseudo_labels.rounds is 0", _section("pseudo_labels") - {"pseudo_labels.rounds"}
    if not recipe.learns_from_photos:
        yield "no stage learns from photos", _section("augmentation")


def _rules_of_regression(recipe: Recipe) -> Iterator[tuple[str, set[str]]]:
    if recipe.head.on == "features" and recipe.network.linear:
        yield "the head on features is a logistic regression", _section("head") - {"head.on", "head.epochs"}
    if not recipe.on_features:
        if recipe.fine_tune.least_steps:
            yield "only blocks of the broad network under a linear head learn for so long", {"fine_tune.least_steps"}
        return
    if not recipe.fine_tune.epochs:
        yield "the head on features is a logistic regression", {"network.dropout", "network.l2"}
    if not recipe.fine_tune.patience:
        yield "the last epoch is the one that is judged while fine_tune.patience is 0", {"monitor"}


def _section(name: str) -> set[str]:
    return {key for key in known_keys(Recipe()) if key.startswith(f"{name}.")}


def _listed(keys: Sequence[str]) -> str:
    *most, last = keys
    return f"{', '.join(most)} and {last}" if most else last

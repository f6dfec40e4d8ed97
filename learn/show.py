"""What a person sees of learning: the labels, the verdict with its evidence, and what would change."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from common.text import printable
from learn.fitting.at_random import Dealt
from learn.fitting.gate import HELPS, OPEN, REFUSED, Duel
from learn.pipeline import LearnResult

SHOWN = 20
"""Photos that would be filed elsewhere, of which so many are named."""
_SENTENCES = {
    REFUSED: "refused: the new model would do harm, and the model in use stays",
    HELPS: "shown to help: on your own photos it is right more often, by what you said of them",
    OPEN: "open: nothing shows that it helps or harms, so it was allowed to change only a few answers",
}
_WHY = {
    "asked": "what you said of your own photos",
    "validation": "photos that no head has learnt from",
    "a class": "one class",
    "labels": "labels that do not fit their photos",
}


def headline(result: LearnResult) -> str:
    """Return the verdict in one line."""
    verdict = result.judged.verdict
    if result.data is None and verdict.kind != REFUSED:
        return "nothing new: the model in use answers like this already, and stays"
    by = f" (by {_WHY[verdict.why]})" if verdict.why else ""
    return f"{_SENTENCES[verdict.kind]}{by}"


def lines(result: LearnResult) -> Iterator[str]:
    """Yield the verdict, the evidence and the changes, line by line."""
    judged, said = result.judged, result.said
    yield headline(result)
    if result.data is None and judged.verdict.kind != REFUSED:
        return
    if result.validation:
        yield f"  photos of its own that it never learnt from: {_of(judged.validation)}"
    else:
        yield "  no memory beside the model: it changes less, because whether its own classes suffer cannot be told"
    yield from (f"    {name}: {_of(duel)}" for name, duel in zip(said.classes, judged.by_class, strict=False)
                if duel.won or duel.lost)  # fmt: skip
    if judged.asked.photos:
        unknown = f", {judged.asked.unanswered} of them not answered" if judged.asked.unanswered else ""
        yield f"  your own photos, labelled or asked about, and not learnt from: {_of(judged.asked)}{unknown}"
        if judged.verdict.kind == OPEN:
            yield (
                "    what you said speaks for it, but proves nothing"
                if judged.asked.leans
                else ("    what you said does not speak for it: better keep the model in use")
            )
    if judged.dealt.is_random:
        yield f"  {_random(judged.dealt)}"
    if judged.held_out.photos:
        yield f"  corrections that were held out (shown, they decide nothing): {_of(judged.held_out)}"
    before, after, count = result.strangers
    if count:
        yield f"  pictures of no class that pass as familiar: {after} of {count}, {before} before"
    yield from _changes(result)


def facts(result: LearnResult) -> dict[str, Any]:
    """Return the same for scripts."""
    judged, said = result.judged, result.said
    before, after, count = result.strangers
    return {
        "verdict": judged.verdict.kind,
        "why": judged.verdict.why,
        "is_new": result.data is not None,
        "labels": dict(Counter(one.said for one in said.taught)),
        "held_out": len(said.held_out),
        "too_few": dict(said.few),
        "gone": result.gone,
        "classes": list(said.classes),
        "pull": judged.pull,
        "labels_at_random": {
            "labels": judged.dealt.labels,
            "movable": judged.dealt.movable,
            "agreeing": judged.dealt.agreeing,
            "p": judged.dealt.p,
            "is_random": judged.dealt.is_random,
        },
        "validation": _facts(judged.validation),
        "asked": _facts(judged.asked),
        "held_out_corrections": _facts(judged.held_out),
        "by_class": {name: _facts(duel) for name, duel in zip(said.classes, judged.by_class, strict=False)},
        "strangers": {"before": before, "after": after, "photos": count},
        "whole_network": list(result.whole_network),
        "changes": [{"path": str(one.path), "before": one.before, "after": one.after} for one in result.changes],
    }


def _of(duel: Duel) -> str:
    return f"{duel.won} won, {duel.lost} lost of {duel.photos:,} (p {min(duel.harm, duel.help):.2g})"


def _random(dealt: Dealt) -> str:
    return (
        f"the {dealt.labels:,} labels fit their photos no better than if they were dealt at random (p {dealt.p:.2g})."
        " Are they right? `phototriage labels` shows them, and `labels take-back` ends one"
    )


def _facts(duel: Duel) -> dict[str, Any]:
    return {"won": duel.won, "lost": duel.lost, "photos": duel.photos, "harm_p": duel.harm, "help_p": duel.help}


def _changes(result: LearnResult) -> Iterator[str]:
    if not result.changes:
        yield "  none of your filed photos would go elsewhere"
        return
    count = len(result.changes)
    yield f"  {count:,} of your filed photos would go elsewhere:"
    for one in result.changes[:SHOWN]:
        yield f"    {printable(one.path)}: {printable(one.before)} -> {printable(one.after)}"
    if count > SHOWN:
        yield f"    and {count - SHOWN:,} more"

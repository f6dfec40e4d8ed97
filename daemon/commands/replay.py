"""`phototriage replay`: the command and its output."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import click

from common.tables import show
from common.text import printable
from daemon.commands.model import state_of
from daemon.commands.option_types import FolderOrFile, ReviewBelow
from daemon.commands.questions.row import said_words
from daemon.commands.shared_options import (
    device_option,
    json_option,
    one_inbox_option,
    service_option,
    since_option,
    unfamiliar_option,
)
from daemon.models.missing_embeddings import MissingEmbeddings
from daemon.models.replay import Agreement, Verdict, replay
from daemon.review import ReviewReason


@dataclass(slots=True)
class _Corrected:
    """Photos that people said a class of; of them, those that the model and the filing agree with."""

    photos: int = 0
    agree: int = 0
    agreed_before: int = 0

    def add(self, verdict: Verdict) -> None:
        self.photos += verdict.is_corrected
        self.agree += verdict.agrees
        self.agreed_before += verdict.agreed_before


@dataclass(slots=True)
class _Sum:
    """Summary of what a model would do.

    Attributes:
        counts: photos by agreement.
        unfamiliar: photos that would go to review because they are unlike what the model has learnt from.
        corrected: photos that people said a class of, with how many of them the model and the one before agree.
        moves: photos filed differently, by folder before and after.
        changes: photos filed differently, highest probability first.
    """

    counts: Counter[Agreement] = field(default_factory=Counter)
    unfamiliar: int = 0
    corrected: _Corrected = field(default_factory=_Corrected)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    changes: list[Verdict] = field(default_factory=list)


@click.command("replay")
@click.option("--model", type=FolderOrFile(), required=True, help="Model to try, made by `phototriage convert`.")
@one_inbox_option
@service_option
@since_option
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Try only the N newest photos.")
@click.option(
    "--review-below",
    type=ReviewBelow(),
    default="off",
    show_default=True,
    envvar="PHOTOTRIAGE_REVIEW_BELOW",
    help="As in `watch`, for the model to try.",
)
@unfamiliar_option
@device_option
@click.option(
    "--show", type=click.IntRange(min=0), default=20, show_default=True, help="List this many photos by name."
)
@json_option
def replay_command(
    model: Path,
    inbox: Path | None,
    service: str | None,
    since: datetime | None,
    limit: int | None,
    review_below: Literal["off", "auto"] | float,
    unfamiliar: Literal["review", "file"],
    device: Literal["auto", "cpu", "cuda"],
    show: int,
    as_json: bool,
) -> None:
    """Show what another model would have filed differently.

    Reads every filed photo in the output, where the daemon's last look saw it, and classifies it with the other model.
    Photos that were edited after filing, or moved since the last look, are counted and left out. Of photos that people
    moved to another class, it says with how many of them the model agrees. A daemon may be running. Embeddings of these
    photos that are missing beside the ledger are added, if they have the id of those there.

    \b
    Examples:
      phototriage replay --model garden.onnx --inbox ~/inbox --since 30d
      phototriage replay --model garden.onnx --json | jq -r 'select(.now == "different") | .path'
    """
    from contract.session import open_model
    from daemon.classify.loaded_model import LoadedModel, rules_of
    from daemon.ledger.state_folder import LEDGER

    state = state_of(inbox, service)
    opened = open_model(model, device)
    loaded = LoadedModel(opened, rules_of(opened, review_below, unfamiliar=unfamiliar))
    missing = MissingEmbeddings(state, opened.contract.familiarity)
    verdicts = replay(state / LEDGER, since.timestamp() if since else None, limit or -1, loaded, missing)
    if as_json:
        _print_json(verdicts, opened.sha256, missing)
    else:
        _print(_sum(verdicts), model, opened.sha256, show)
        if missing.added:
            click.echo(f"\nAdded {missing.added:,} embeddings that were missing.")
    if missing.trouble:
        click.echo(missing.trouble, err=True)


def _sum(verdicts: Iterable[Verdict]) -> _Sum:
    total = _Sum()
    for verdict in verdicts:
        total.counts[verdict.now] += 1
        total.unfamiliar += verdict.review_reason is ReviewReason.UNFAMILIAR
        total.corrected.add(verdict)
        if verdict.now is Agreement.DIFFERENT:
            total.moves[verdict.case.folder, verdict.folder] += 1
            total.changes.append(verdict)
    total.changes.sort(key=lambda verdict: -verdict.probability)
    return total


def _print_json(verdicts: Iterable[Verdict], sha256: str, missing: MissingEmbeddings) -> None:
    """Print one object per photo, then one with the summary."""
    counts: Counter[Agreement] = Counter()
    unfamiliar, corrected = 0, _Corrected()
    for verdict in verdicts:
        counts[verdict.now] += 1
        unfamiliar += verdict.review_reason is ReviewReason.UNFAMILIAR
        corrected.add(verdict)
        click.echo(json.dumps(_facts(verdict)))
    sums = {now.value: counts[now] for now in Agreement} | {"unfamiliar": unfamiliar, "embeddings_added": missing.added}
    sums |= {
        "corrected": corrected.photos,
        "corrected_agree": corrected.agree,
        "corrected_agreed_before": corrected.agreed_before,
    }
    click.echo(json.dumps({"event": "summary", "model": sha256, **sums}))


def _facts(verdict: Verdict) -> dict[str, Any]:
    case = verdict.case
    return {
        "event": "photo",
        "path": str(case.place),
        "now": verdict.now.value,
        "said": case.said or None,
        "was": {"folder": case.folder, "label": case.label, "probability": round(case.probability, 6)},
        "would_be": {
            "folder": verdict.folder, "label": verdict.label, "probability": round(verdict.probability, 6),
            "familiarity": None if verdict.likeness is None else round(verdict.likeness.familiarity, 6),
            "review_reason": verdict.review_reason.value if verdict.review_reason else None,
        } if verdict.folder else None,
    }  # fmt: skip


def _print(total: _Sum, model: Path, sha256: str, show: int) -> None:
    counts = total.counts
    read = counts[Agreement.SAME] + counts[Agreement.DIFFERENT]
    share = f", {100 * counts[Agreement.DIFFERENT] / read:.1f} %" if read else ""
    unlike = f"; {total.unfamiliar:,} would go to review as unfamiliar" if total.unfamiliar else ""
    left = (Agreement.GONE, Agreement.CHANGED, Agreement.UNREADABLE)
    without = ", ".join(f"{counts[now]:,} {now.value}" for now in left if counts[now])
    click.echo(
        f"{printable(model.name)} ({sha256[:12]}) would file {counts[Agreement.DIFFERENT]:,} of {read:,} photos "
        f"differently{share}{unlike}{f'; not read: {without}' if without else ''}. Nothing was touched."
    )
    said = total.corrected
    if said.photos:
        click.echo(
            f"{said.photos:,} corrected photo{'s' * (said.photos != 1)}: {printable(model.name)} agrees with "
            f"{said.agree:,}, what filed them agreed with {said.agreed_before:,}."
        )
    if total.changes:
        _print_moves(total)
        _print_changes(total.changes, show)


def _print_moves(total: _Sum) -> None:
    rows = [(was, now, f"{count:,}") for (was, now), count in total.moves.most_common()]
    _print_table(("was", "would be", "photos"), rows)


def _print_changes(changes: list[Verdict], show: int) -> None:
    rows = [
        (
            str(verdict.case.place),
            _words(verdict.case.folder, verdict.case.label, verdict.case.probability)
            + (f", said {said_words(verdict.case.said)}" if verdict.case.said else ""),
            _words(verdict.folder, verdict.label, verdict.probability),
        )
        for verdict in changes[:show]
    ]
    if rows:
        _print_table(("photo", "was", "would be"), rows)
    if len(changes) > show:
        click.echo(f"{len(changes) - show:,} more; --show {len(changes)} lists all; --json is for scripts.")


def _words(folder: str, label: str, probability: float) -> str:
    return f"{folder} ({label} {probability:.2f})" if folder != label else f"{label} {probability:.2f}"


def _print_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    from rich.table import Table
    from rich.text import Text

    click.echo()
    table = Table(box=None, pad_edge=False)
    for name in head:
        table.add_column(name, overflow="fold", justify="right" if name == "photos" else "left")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    show(table)

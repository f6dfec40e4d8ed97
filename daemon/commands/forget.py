"""`phototriage forget`: remove the ledger of an inbox that is no longer used."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from common.text import printable
from daemon.commands.option_types import FolderOrFile
from daemon.commands.shared_options import json_option, yes_option

if TYPE_CHECKING:
    from daemon.forget import Memory


@click.command()
@click.option("--inbox", type=FolderOrFile(), help="The inbox to forget; it may be deleted already.")
@yes_option
@json_option
def forget(inbox: Path | None, yes: bool, as_json: bool) -> None:
    """Forget an inbox that is no longer used: remove its ledger, keep every photo.

    Removes the folder of the inbox's ledger, with the models that `model use` put there, and the marker files in the
    inbox and in the output. The output's marker stays if another inbox is filed into that output. Afterwards `undo`,
    `history` and `explain` know nothing of these photos, and no command names the inbox any more. Refused while a
    daemon runs there, or while a photo is on its way.

    \b
    Examples:
      phototriage forget --inbox ~/Downloads/wedding
      phototriage forget --inbox ~/Downloads/wedding --yes --json
    """
    from daemon.forget import forget as remove
    from daemon.forget import known_inboxes, memories_of

    if inbox is None:
        raise click.UsageError(f"Name the inbox with --inbox. Known inboxes: {'; '.join(known_inboxes())}")
    if as_json and not yes:
        raise click.UsageError("--json needs --yes, because a script cannot be asked.")
    for memory in memories_of(inbox):
        if not as_json:
            click.echo(_about(memory))
        if not yes and not click.confirm("Forget this inbox?"):
            click.echo("Nothing was removed.")
            continue
        stays = remove(memory)
        if as_json:
            click.echo(json.dumps(_facts(memory, stays)))
        else:
            click.echo(f"Forgotten. {stays}." if stays else "Forgotten.")


def _about(memory: "Memory") -> str:
    known = memory.known
    gone = "" if known.inbox and known.inbox.path.is_dir() else " (no longer there)"
    rows = f"{memory.rows:,} row{'s' * (memory.rows != 1)}"
    lines = [f"{printable(known.name())}{gone}: the ledger has {rows}. Without it none of these photos can be undone."]
    lines += [f"  removed: {printable(path)}" for path in (known.state, *memory.markers)]
    if known.output is not None:
        lines.append(f"  kept:    every photo, also those in {printable(known.output.path)}")
    if memory.held:
        lines.append(f"  note:    the next `sort` there files {memory.held:,} photos that are left alone now")
    return "\n".join(lines)


def _facts(memory: "Memory", stays: str) -> dict[str, object]:
    known = memory.known
    return {
        "inbox": str(known.inbox.path) if known.inbox else None,
        "output": str(known.output.path) if known.output else None,
        "rows": memory.rows,
        "removed": [str(path) for path in (known.state, *memory.markers)],
        "stays": stays,
    }

"""`phototriage labels` and its commands."""

import json
from pathlib import Path

import click

from common.text import printable
from daemon.commands.option_types import FolderOrFile
from daemon.commands.shared_options import check_one, inbox_option, json_option, service_option, yes_option

new_option = click.option("--new", "is_new", is_flag=True, help="The class is new: no model and no label knows it.")


@click.group(invoke_without_command=True)
@inbox_option
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Labels per ledger.")
@click.option("--all", "everything", is_flag=True, help="Show every label.")
@json_option
@click.pass_context
def labels(ctx: click.Context, inbox: Path | None, limit: int, everything: bool, as_json: bool) -> None:
    """Show what people said about photos, and correct what is wrong.

    Move a misfiled photo to the folder of the right class: that is a label, once two looks at the output, 30 seconds
    apart, saw it there. Without a command, `labels` looks now and shows the labels, newest first, then what waits:
    photos that were seen once, proposed classes, and questions. Nobody is named, because who moved a file is unknown.

    \b
    Examples:
      phototriage labels
      phototriage labels --inbox ~/inbox --json
      phototriage labels add --class street ~/sorted/sea/IMG_1.jpg
      phototriage labels export labels.jsonl
    """
    if ctx.invoked_subcommand is not None:
        if given := [name for name in ctx.params if _is_given(ctx, name)]:
            option = {"everything": "all", "as_json": "json"}.get(given[0], given[0])
            raise click.UsageError(f"Put --{option} behind `{ctx.invoked_subcommand}`.")
        return
    from daemon.commands.labels.look import show_all

    show_all(inbox, -1 if everything else limit, as_json=as_json)


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


@labels.command()
@click.argument("number", type=click.IntRange(min=1))
@click.argument("reply", type=click.Choice(["labels", "renamed", "ignore"]))
@inbox_option
def answer(number: int, reply: str, inbox: Path | None) -> None:
    """Answer a question about many moves, by its number.

    labels: each photo is of the class in whose folder it lies now. renamed: the folder of the class has a new name,
    where new photos go from now on; nothing is said about single photos. ignore: the moves say nothing. In every case
    the places are noted, and the question is not asked again.

    \b
    Examples:
      phototriage labels answer 3 labels
      phototriage labels answer 3 ignore --inbox ~/inbox
    """
    from daemon.commands.labels.choose import ledger_with
    from daemon.labels.by_hand.answer import Reply
    from daemon.labels.by_hand.answer import answer as settle
    from daemon.labels.by_hand.writing import writing
    from daemon.process.clock import Clock

    known = "SELECT 1 FROM questions WHERE id = ?"
    ledger = ledger_with(inbox, lambda one: bool(one.execute(known, (number,)).fetchone()), f"question {number}")
    with writing(ledger) as connection:
        done = settle(connection, ledger.parent, number, Reply(reply), Clock().wall_s())
    click.echo(f"{_photos(done.labels)} labelled, of {_photos(done.noted)} the place is noted.")
    if done.elsewhere:
        click.echo(f"{_photos(done.elsewhere)} moved on since; the next look judges each of them by itself.")


@labels.command()
@click.argument("files", type=FolderOrFile(), nargs=-1, required=True)
@click.option("--class", "name", metavar="NAME", help="The class that the photos show.")
@click.option("--none", is_flag=True, help="The photos show none of the classes.")
@new_option
@inbox_option
@json_option
def add(files: tuple[Path, ...], name: str | None, none: bool, is_new: bool, inbox: Path | None, as_json: bool) -> None:
    """Say which class photos show; the files stay where they are.

    Filed photos are found by their path now, by their content or by an earlier path. A photo that was never filed here
    can be labelled too. A class that no model and no label knows needs --new, so that a typo makes no class.

    \b
    Examples:
      phototriage labels add --class street ~/sorted/sea/IMG_1.jpg ~/sorted/sea/IMG_2.jpg
      phototriage labels add --class pets --new ~/pictures/dog.jpg
      phototriage labels add --none ~/sorted/_review/scan.png
    """
    from contract.labels import OTHER
    from daemon.commands.labels.say import add as say

    if (name is None) is not none:
        raise click.UsageError("Name the class with --class, or say --none.")
    for path, said, is_changed in say(files, OTHER if name is None else name, inbox, is_new=is_new):
        if as_json:
            click.echo(json.dumps({"path": str(path), "said": said, "changed": is_changed}))
        else:
            click.echo(f"{printable(path)}: {'' if is_changed else 'already '}{_word(said)}.")


@labels.command("take-back")
@click.argument("which", nargs=-1, required=True, metavar="FILE|NUMBER...")
@inbox_option
@json_option
def take_back(which: tuple[str, ...], inbox: Path | None, as_json: bool) -> None:
    """Take labels back: of these photos nothing is said any more.

    A photo is named as for `labels add`, or by the number that `labels` shows. The event stays in the table; `labels
    forget` removes it.

    \b
    Examples:
      phototriage labels take-back ~/sorted/street/IMG_1.jpg
      phototriage labels take-back 12 13
    """
    from daemon.commands.labels.say import take_back as withdraw

    for path, was in withdraw(which, inbox):
        if as_json:
            click.echo(json.dumps({"path": str(path), "was": was}))
        else:
            click.echo(f"{printable(path)}: {printable(was)} is taken back.")


@labels.command("import")
@click.argument("source", type=FolderOrFile())
@click.option("--dry-run", is_flag=True, help="Only say what would be recorded.")
@click.option("--replace", "replaces", is_flag=True, help="Let the source win over labels in force.")
@new_option
@inbox_option
@yes_option
@json_option
@click.pass_context
def import_(
    ctx: click.Context,
    source: Path,
    dry_run: bool,
    replaces: bool,
    is_new: bool,
    inbox: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Record labels from a CSV file, from an export, or from a folder of class folders.

    A CSV file has the columns path and label; an export (.jsonl) is what `labels export` writes. Of a folder in the
    output only photos that no ledger knows are taken, because what phototriage filed there is no person's word. It is
    said first what would change; then all labels are recorded, or none. A second import of the same source adds
    nothing. The files stay where they are.

    The answers.csv of `audit --export` is known by its first line: its answers count for the audit, and are no labels.

    \b
    Examples:
      phototriage labels import labels.csv --dry-run
      phototriage labels import to-answer/answers.csv
      phototriage labels import ~/albums --yes
      phototriage labels import labels.jsonl --replace
    """
    from daemon.commands.labels.bring import bring

    if as_json and not (yes or dry_run):
        raise click.UsageError("--json needs --yes or --dry-run, because a script cannot be asked.")
    done = bring(source, inbox, yes=yes, dry_run=dry_run, is_new=is_new, replaces=replaces, as_json=as_json)
    ctx.exit(0 if done else 1)


@labels.command()
@click.argument("file", metavar="FILE|-")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@inbox_option
@service_option
def export(file: str, force: bool, inbox: Path | None, service: str | None) -> None:
    """Write the labels in force as JSON lines; - writes to standard output.

    Each line has the SHA-256 of a photo, what was said, the photo's path now, when and how it was said, what the model
    had said, and what finds the photo and its near-duplicates again. `labels import` reads it.

    \b
    Examples:
      phototriage labels export labels.jsonl
      phototriage labels export - | jq -r .said | sort | uniq -c
      sudo phototriage labels export labels.jsonl --for photos
    """
    from daemon.commands.labels.export import export as write

    check_one(inbox, service)
    write(file, inbox, service, force=force)


@labels.command()
@click.argument("which", nargs=-1, required=True, metavar="FILE|SHA256...")
@inbox_option
@json_option
def forget(which: tuple[str, ...], inbox: Path | None, as_json: bool) -> None:
    """Forget what was said about photos: events, labels, features and embeddings.

    It is removed from every ledger of the output. The photo stays where it is, and so does the row of its filing, for
    `undo`. A photo that is gone is named by an earlier path, or by its SHA-256, which `labels --json` shows.

    \b
    Examples:
      phototriage labels forget ~/sorted/street/IMG_1.jpg
      phototriage labels forget 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    """
    from daemon.commands.labels.forget import forget as remove

    for done in remove(which, inbox):
        if as_json:
            click.echo(json.dumps(done._asdict()))
        else:
            events, embeddings = (_counted(*one) for one in ((done.events, "event"), (done.embeddings, "embedding")))
            click.echo(f"{printable(done.named)}: {events} and {embeddings} removed.")
            if done.models:
                named = ", ".join(map(printable, done.models))
                click.echo(f"Models that may have learnt from it: {named}. `phototriage learn` makes one without it.")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _word(said: str) -> str:
    from contract.labels import OTHER

    return "none of these classes" if said == OTHER else printable(said)


def _photos(count: int) -> str:
    return _counted(count, "photo")

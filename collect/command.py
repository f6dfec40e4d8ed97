"""`phototriage collect`: options, the question, and what is printed at the end."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collect.errors import CollectError
from common.licences import LICENCES, code_of, owed
from common.options import json_option
from common.sources import COLLECTED, SOURCES
from common.text import printable

if TYPE_CHECKING:
    from collect.run import Collected, Wanted
    from collect.web.fetch import Fetcher

_FOLDER = click.Path(path_type=Path)
DEFAULT_LICENCES = "cc0,pdm,by"


class _Licences(click.ParamType["tuple[str, ...]"]):
    """Codes of licences, separated by commas."""

    name = "codes"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Convert the text of the option to codes."""
        found = {word: code_of(word) for word in str(value).split(",") if word.strip()}
        unknown = [word for word, code in found.items() if not code]
        if unknown or not found:
            self.fail(f"{', '.join(unknown) or value} is no licence. Known are: {', '.join(LICENCES)}.", param, ctx)
        return tuple(dict.fromkeys(found.values()))


@click.command("collect")
@click.argument("label", metavar="CLASS")
@click.option(
    "--from", "source", required=True, metavar="SOURCE", help="openverse, commons, list:FILE or command:PROGRAM."
)
@click.option("--dataset", type=_FOLDER, help="Folder of labelled photos, which are known already.")
@click.option(
    "--output", type=_FOLDER, help=f"Folder of the collection. Default: {COLLECTED}/CLASS beside the dataset."
)
@click.option("--query", metavar="WORDS", help="What to search. Default: the name of the class.")
@click.option(
    "--licence",
    "licences",
    type=_Licences(),
    default=DEFAULT_LICENCES,
    show_default=True,
    help=f"Licences to take, of {', '.join(LICENCES)}.",
)
@click.option(
    "--count", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Photos in the whole collection."
)
@click.option("--contact", metavar="MAIL|URL", help="Whom a service may ask about these requests; Wikimedia wants one.")
@click.option("--yes", is_flag=True, help="Do not ask before anything leaves this machine.")
@json_option("the outcome as one JSON object")
def collect(
    label: str,
    source: str,
    dataset: Path | None,
    output: Path | None,
    query: str | None,
    licences: tuple[str, ...],
    count: int,
    contact: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Collect candidates for a class from the web, with licences.

    CLASS is the name of the class. The command first says what leaves this machine, and asks. Candidates lie in a
    folder of their own, the likeliest first. Accept them by moving them into the folder of the class. sources.csv keeps
    the licence and the creator of each photo. What cannot be read, and what the dataset or the collection holds
    already, is left out. After a kill, the same command goes on.

    A list or a command gives one JSON object a line, with "url" and "licence".

    \b
    Examples:
      phototriage collect receipt --from openverse --dataset photos
      phototriage collect receipt --from commons --dataset photos --licence cc0,by,by-sa --contact me@example.org
      phototriage collect receipt --from list:urls.jsonl --output collected/receipt --count 20
      phototriage collect receipt --from "command:my-search receipt" --dataset photos --yes
    """
    from collect.run import collect as run
    from collect.sources.choose import source_of
    from collect.web.retry_after import pause
    from common.packages import require_runtime
    from common.silence import silenced

    require_runtime("`collect`")
    wanted = _wanted(label, dataset, output, licences, count)
    fetcher = _fetcher(contact)
    chosen = source_of(source, query or label.replace("_", " "), licences, fetcher, pause)
    _say(f"{chosen.leaves()} Each host reads this machine's address, and {fetcher.user_agent!r}.")
    _say(f"At most {count:,} photos come to {printable(wanted.output)}. Your own photos do not leave this machine.")
    if not yes:
        click.confirm("Go on?", abort=True, err=True)
    with silenced():
        found = run(wanted, chosen, fetcher, pause, _say)
    if as_json:
        click.echo(json.dumps(_plain(found, wanted)))
    else:
        _show(found, wanted)


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


def _wanted(label: str, dataset: Path | None, output: Path | None, licences: tuple[str, ...], count: int) -> "Wanted":
    from collect.run import Wanted
    from contract.labels import fault_of

    if fault := fault_of(label):
        raise CollectError(f"{printable(label)!r} cannot be a class: {fault}. Pass another name.")
    if dataset is None and output is None:
        raise click.UsageError("Pass --dataset, the folder of your labelled photos, or --output.")
    if dataset is not None and not dataset.is_dir():
        raise CollectError(f"{printable(dataset)} is not a folder. Pass the folder of your labelled photos.")
    if output is None:
        assert dataset is not None  # or there would be an output
        output = dataset.absolute().parent / COLLECTED / label
    if dataset is not None and output.resolve().is_relative_to(dataset.resolve()):
        raise CollectError(
            f"{printable(output)} lies in {printable(dataset)}, so candidates would be taken for labelled photos before"
            " you accept them. Pass an --output elsewhere."
        )
    return Wanted(label, output, dataset, licences, count)


def _fetcher(contact: str | None) -> "Fetcher":
    from collect.web.fetch import Fetcher
    from common.packages import installed_versions

    version = installed_versions(["phototriage"]).get("phototriage", "")
    name = f"phototriage/{version}" if version else "phototriage"
    if contact and not (contact.isascii() and contact.isprintable()):
        raise CollectError("The --contact is no mail address or URL. Pass one in ASCII.")
    return Fetcher(f"{name} ({contact})" if contact else name)


def _plain(found: "Collected", wanted: "Wanted") -> dict[str, object]:
    return {
        "output": str(wanted.output),
        "kept": found.kept,
        "collected": found.total,
        "left_out": dict(found.left_out),
        "licences": dict(found.licences),
        "candidates": [one._asdict() | {"path": str(one.path)} for one in found.order],
    }


def _show(found: "Collected", wanted: "Wanted") -> None:
    here = len(found.order)
    click.echo(f"{found.kept:,} photos came, {found.total:,} of {wanted.count:,} are collected, {here:,} lie here now.")
    for reason, count in found.left_out.most_common():
        click.echo(f"  {count:,} left out: {reason}")
    for sentence in found.examples:
        click.echo(f"  {sentence}")
    for code, count in found.licences.most_common():
        click.echo(f"  {count:,} under {code}: {owed(code) or 'nothing is owed'}")
    unlike = sum(bool(one.more_like) for one in found.order)
    if unlike:
        click.echo(f"  {unlike:,} look more like another class, and stand last")
    click.echo(
        f"Look at {printable(wanted.output)}, the likeliest first, and move what is right into the class folder."
    )
    click.echo(f"Keep {SOURCES}: it holds what you owe.")

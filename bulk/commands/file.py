"""`phototriage bulk file`: file what results say, or copy it to another storage."""

import json
from collections import Counter
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from common.options import json_option
from common.text import printable
from daemon.commands.option_types import FolderOrFile, Template
from daemon.commands.shared_options import preview_option
from daemon.filing.layout import DEFAULT_LAYOUT

if TYPE_CHECKING:
    from bulk.results.store import ResultStore


@click.command("file")
@click.argument("results", metavar="RESULTS")
@click.option("--inbox", type=FolderOrFile(), help="Folder that holds the photos of the results.")
@click.option("--output", type=FolderOrFile(), help="Folder that holds the class folders.")
@click.option(
    "--mode",
    type=click.Choice(["move", "copy", "hardlink", "symlink"]),
    default="move",
    show_default=True,
    help="As in `sort`.",
)
@click.option("--layout", type=Template(), default=DEFAULT_LAYOUT, show_default=True, help="As in `sort`.")
@click.option(
    "--copy-to", metavar="URL", help="Instead, copy to this folder or URL, with {label}; no original is touched."
)
@preview_option
@json_option("one JSON object per line")
@click.pass_context
def file(
    ctx: click.Context,
    results: str,
    inbox: Path | None,
    output: Path | None,
    mode: str,
    layout: str,
    copy_to: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """File the photos that `phototriage bulk run` judged, under their classes.

    Run it on the machine that holds the photos. Each photo is read once more: one that changed after it was judged
    stays. A class that a person gave a photo goes before the model's. Companions go along. All is one batch, and `undo
    --batch N` takes it back. If it is interrupted, the same command goes on. No daemon may run on the inbox meanwhile.
    The exit code is 1 if a photo stays that was judged to be filed.

    With --copy-to, photos are copied to object storage or another folder, read back and compared. `_copied` beside
    them holds which photo went where. Companions are not copied.

    \b
    Examples:
      phototriage bulk file results --inbox /photos --output /sorted --dry-run
      phototriage bulk file results --inbox /photos --output /sorted
      phototriage undo --inbox /photos --batch 1
      phototriage bulk file results --copy-to s3://bucket/sorted/{label}/
    """
    from common.packages import require_bulk

    if copy_to is not None and (inbox or output or mode != "move" or layout != DEFAULT_LAYOUT):
        raise click.UsageError("--copy-to goes with no other option than --dry-run and --json.")
    if copy_to is None and (inbox is None or output is None):
        raise click.UsageError("Pass --inbox and --output, or --copy-to.")
    require_bulk("`bulk file`", "pyarrow")
    from bulk.results.store import ResultStore

    store = ResultStore(results)
    if copy_to is not None:
        done = _copy(store, copy_to, dry_run=dry_run, as_json=as_json)
    else:
        assert inbox is not None  # checked above
        assert output is not None
        done = _file(store, inbox, output, mode, layout, dry_run=dry_run, as_json=as_json)
    ctx.exit(0 if done else 1)


def _file(
    store: "ResultStore", inbox: Path, output: Path, mode: str, layout: str, *, dry_run: bool, as_json: bool
) -> bool:
    from bulk.filing.case import Wanted
    from bulk.filing.file import file_results
    from bulk.filing.rehearse import rehearse_filing
    from daemon.filing.layout import FilingOptions, Layout
    from daemon.photo import Mode
    from daemon.status.report import Report

    wanted = Wanted(inbox, output, layout, FilingOptions(Mode(mode), Layout(layout)))
    report = Report(output.resolve(), as_json=as_json, quiet=False, patience_s=inf)
    try:
        return (rehearse_filing if dry_run else file_results)(store, wanted, report)
    finally:
        report.close()


def _copy(store: "ResultStore", copy_to: str, *, dry_run: bool, as_json: bool) -> bool:
    from bulk.filing.copies.run import copy_results, plan_of_copies
    from bulk.filing.copies.template import parsed

    template = parsed(copy_to)
    if dry_run:
        for path, target in plan_of_copies(store, template):
            click.echo(
                json.dumps({"event": "photo", "path": path, "target": target})
                if as_json
                else f"{printable(path)} -> {printable(target)}"
            )
        return True

    def _tell(part: str, counts: Counter[str], staying: list[dict[str, Any]]) -> None:
        for line in staying:
            facts = {key: line[key] for key in ("path", "outcome", "reason")}
            why = f": {line['reason']}" if line["reason"] else ""
            _say(f"{printable(line['path'])} is not copied: {line['outcome']}{why}", "photo", facts, as_json=as_json)
        _say(f"{part}: {_counted(counts)}", "part", {"part": part, "counts": dict(counts)}, as_json=as_json)

    counts = copy_results(store, template, _tell)
    before = counts.pop("before", 0)
    sentence = f"{_counted(counts)}{f'; {before:,} were done before' if before else ''}"
    _say(sentence, "summary", {"counts": dict(counts), "before": before}, as_json=as_json)
    return set(counts) <= {"copied", "stays"}


def _say(sentence: str, event: str, facts: dict[str, Any], *, as_json: bool) -> None:
    click.echo(json.dumps({"event": event} | facts) if as_json else sentence)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items())) or "nothing to copy"

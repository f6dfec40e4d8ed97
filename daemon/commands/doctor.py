"""`phototriage doctor`: find problems before they occur; one line each, with the cure."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daemon.commands.option_types import FolderOrFile
from daemon.commands.shared_options import json_option

if TYPE_CHECKING:
    from daemon.doctor.finding import Finding

DEVICES = ["auto", "cpu", "cuda"]


@click.command()
@click.option("--inbox", type=FolderOrFile(), help="Check this inbox; needs --output.")
@click.option("--output", type=FolderOrFile(), help="Check this output; needs --inbox.")
@click.option("--config", type=FolderOrFile(), help="Check the folders and model of this `watch` configuration.")
@click.option("--service", metavar="NAME", help="Check the service phototriage@NAME, as its user and in its sandbox.")
@click.option("--model", type=FolderOrFile(), help="Check this model instead of the one in use.")
@click.option("--device", type=click.Choice(DEVICES), help="As in `watch`; with cuda, a missing GPU is a fault.")
@json_option
@click.pass_context
def doctor(
    ctx: click.Context,
    inbox: Path | None,
    output: Path | None,
    config: Path | None,
    service: str | None,
    model: Path | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Find problems before they occur, and say how to fix each.

    Each line says what was found and, for a problem, how to fix it.

    Without options the doctor checks the machine and every inbox in the ledgers of this user and of the services.
    Nothing is changed: the doctor tries a rename with hidden files and removes them. When run as root, it checks a
    service as the service's user, and in the sandbox of a running service. A mount that does not answer is reported
    after 5 s.

    \b
    Exit codes: 0 no fault, perhaps warnings; 1 at least one fault; 2 wrong usage.

    \b
    Examples:
      phototriage doctor
      phototriage doctor --inbox ~/inbox --output ~/sorted --device cuda
      sudo phototriage doctor --service scenes
      phototriage doctor --json | jq -r 'select(.level == "fault") | .cure'
    """
    if sum(map(bool, (inbox or output, config, service))) > 1:
        raise click.UsageError("Pass either --inbox and --output, or --config, or --service.")
    if bool(inbox) != bool(output):
        raise click.UsageError("--inbox and --output must be given together.")
    levels = _examine(inbox, output, config, service, model, device, as_json=as_json)
    ctx.exit(1 if "fault" in levels else 0)


def _examine(
    inbox: Path | None,
    output: Path | None,
    config: Path | None,
    service: str | None,
    model: Path | None,
    device: str | None,
    *,
    as_json: bool,
) -> list[str]:
    from dataclasses import replace

    from contract.shipped import SHIPPED_MODEL
    from daemon.commands.doctor_subjects import from_config, from_service, known
    from daemon.doctor.examine import examine
    from daemon.doctor.subject import Subject, from_folders

    if inbox and output:
        found = [from_folders(inbox, output)]
    elif config or service:
        found = [from_service(service) if service else from_config(config or Path())]
    else:
        found = list(known())
    found = [replace(one, model=model or one.model, device=device or one.device) for one in found]
    bare = Subject(Path(), Path(), model=model or SHIPPED_MODEL, device=device or "auto")
    serving = {(one.model, one.device): one for one in found or [bare]}
    levels: list[str] = []
    wanted = next(iter(serving))[1]
    for heading, findings in examine(found, [one.model_look() for one in serving.values()], wanted):
        _print(heading, findings, as_json=as_json)
        levels += [finding.level.value for finding in findings]
    if not found and not as_json:
        click.echo("No inbox is known here yet. To check one: phototriage doctor --inbox IN --output OUT")
    if not as_json:
        click.echo(", ".join(_counted(level, levels.count(level)) for level in ("fault", "warning", "ok")))
    return levels


def _print(heading: str, findings: "list[Finding]", *, as_json: bool) -> None:
    if as_json:
        for finding in findings:
            click.echo(json.dumps({"chapter": heading} | finding.facts()))
        return
    click.echo(heading)
    colours = {"ok": "green", "warning": "yellow", "fault": "red"}
    for finding in findings:
        mark = click.style(f"{finding.level.value:<7}", fg=colours[finding.level.value])
        click.echo(f"  {mark}  {finding.about}: {finding.says}")
        if finding.cure:
            click.echo(f"           -> {finding.cure}")


def _counted(level: str, count: int) -> str:
    return f"{count} {level}{'s' * (count != 1 and level != 'ok')}"

"""`phototriage service`: install an inbox as a systemd service, and uninstall it."""

import os
import sys
from pathlib import Path

import click

from common.text import printable
from daemon.commands.option_types import FolderOrFile
from daemon.commands.shared_options import preview_option, yes_option
from daemon.install.errors import ServiceError

_user = click.option("--user", is_flag=True, help="Your own user service, without root, instead of a system service.")


@click.group()
def service() -> None:
    """Install an inbox as a systemd service, or uninstall it.

    \b
    Examples:
      sudo phototriage service install scenes --inbox /srv/photos/inbox --output /srv/photos/sorted
      phototriage service install scenes --user --inbox ~/photos/inbox --output ~/photos/sorted
      sudo phototriage service uninstall scenes
    """


@service.command()
@click.argument("name")
@click.option("--inbox", type=FolderOrFile(), required=True, help="Folder to take photos from; must exist.")
@click.option("--output", type=FolderOrFile(), required=True, help="Folder that holds the class folders.")
@click.option("--model", type=FolderOrFile(), help="Model made by `phototriage convert`; default: the shipped one.")
@_user
@click.option(
    "--service-user", metavar="USER", help="Run as this user, who shares the folders, instead of their owner."
)
@click.option("--no-start", is_flag=True, help="Do not start it now; it starts with the machine.")
@click.option(
    "--auto-learn", is_flag=True,
    help="Learn every day from what people said; a model is used only if it is shown to help.",
)  # fmt: skip
@preview_option
@yes_option
def install(
    name: str,
    inbox: Path,
    output: Path,
    model: Path | None,
    user: bool,
    service_user: str | None,
    no_start: bool,
    auto_learn: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Install an inbox as a service, and start it.

    Writes /etc/phototriage/NAME.toml, where you can add every other setting, and the unit phototriage@NAME, which runs
    this same phototriage. The service runs as the owner of the inbox. With --service-user it runs as another user, who
    shares the folders through a group; the user "phototriage" is made if it does not exist. Put inbox and output into
    one folder of their own: the service may write only to that folder. The steps are shown first. A second call changes
    nothing.

    \b
    Examples:
      sudo phototriage service install scenes --inbox /srv/photos/inbox --output /srv/photos/sorted
      sudo phototriage service install sea --inbox /srv/sea/in --output /srv/sea/out --service-user phototriage
      phototriage service install scenes --user --inbox ~/photos/inbox --output ~/photos/sorted --dry-run
    """
    from common.packages import require_learning, require_runtime
    from daemon.install.places import places
    from daemon.install.plan import carry_out, steps
    from daemon.install.service_spec import requested

    if user and service_user:
        raise click.UsageError(
            "--service-user and --user cannot be combined, because --service-user needs root and --user runs without."
        )
    require_runtime("The service")
    if auto_learn:
        require_learning("--auto-learn")
    where = places(name, user=user)
    _check_user(user=user, dry_run=dry_run)
    if not no_start and not dry_run:
        _check_systemd(where.systemctl, user=user)
    try:
        wanted = requested(where, inbox, output, model, service_user, learns=auto_learn)
        todo = steps(wanted, start=not no_start)
    except OSError as error:  # a share that refuses root, or a home that refuses others
        raise ServiceError(f"{printable(error.filename or inbox)} cannot be read ({error.strerror}).") from error
    if not todo:
        click.echo(f"{where.unit} is installed like this already. Nothing was changed.")
        return
    if not _agreed([step.describe() for step in todo], dry_run=dry_run, yes=yes):
        return
    carry_out(wanted, todo)
    click.echo(_next_commands(where.unit, user=user, started=not no_start))


@service.command()
@click.argument("name")
@_user
@click.option("--purge-state", is_flag=True, help="Remove the ledger too; after that, no photo can be undone.")
@preview_option
@yes_option
def uninstall(name: str, user: bool, purge_state: bool, dry_run: bool, yes: bool) -> None:
    """Stop a service and remove what `service install` wrote.

    Photos stay where they are, in the inbox and in the class folders. Files that were changed after the installation
    stay too, and so does the ledger without --purge-state. The command lists what stays.

    \b
    Examples:
      sudo phototriage service uninstall scenes
      phototriage service uninstall scenes --user --dry-run
    """
    from daemon.install.places import places
    from daemon.install.uninstall import installed, leftovers, removals

    where = places(name, user=user)
    _check_user(user=user, dry_run=dry_run)
    record = installed(where)
    found = removals(where, record, purge=purge_state)
    stays = list(leftovers(where, record, purge=purge_state))
    if not _agreed([removal.description for removal in found], dry_run=dry_run, yes=yes):
        return
    for removal in found:
        removal.do()
    click.echo(f"{where.unit} is uninstalled." + "".join(f"\n  {sentence}" for sentence in stays))


def _check_user(*, user: bool, dry_run: bool) -> None:
    if not user and os.geteuid() != 0 and not dry_run:
        raise ServiceError("A system service needs root. Run this with sudo, or install a user service with --user.")
    if user and os.geteuid() == 0:
        raise ServiceError("--user installs a service for the calling user, which is root now. Run it without sudo.")


def _check_systemd(systemctl: tuple[str, ...], *, user: bool) -> None:
    from daemon.install.steps import output

    if output(*systemctl, "show", "--property=Version").returncode == 0:
        return
    if user and not os.environ.get("XDG_RUNTIME_DIR"):
        raise ServiceError(
            "Your systemd cannot be reached, because XDG_RUNTIME_DIR is not set, as after su or sudo -u. Log in as "
            "this user (ssh, machinectl shell) and run the command there."
        )
    raise ServiceError(
        "systemd does not answer, so no service can be started. To prepare a machine image, pass --no-start. On a "
        "machine without systemd, start `phototriage watch` in another way."
    )


def _agreed(lines: list[str], *, dry_run: bool, yes: bool) -> bool:
    """Show the steps and return whether to do them."""
    click.echo("This would be done:" if dry_run else "This will be done:")
    for line in lines:
        click.echo(f"  {line}")
    if dry_run or yes:
        return not dry_run
    if not sys.stdin.isatty():
        raise ServiceError(
            "Nothing was done, because there is no terminal to ask for consent. Run it again with --yes."
        )
    return click.confirm("Do it?")


def _next_commands(unit: str, *, user: bool, started: bool) -> str:
    own = " --user" if user else ""
    lines = [f"{unit} is installed{' and runs' if started else ''}."]
    lines += [f"  its state: systemctl{own} status {unit}", f"  its log:   journalctl{own} --follow --unit {unit}"]
    if user:
        lines += ["  It stops when you log out. To keep it running, run once: loginctl enable-linger"]
    return "\n".join(lines)

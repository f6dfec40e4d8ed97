"""`phototriage service`: install an inbox as a service of systemd, and take it back."""

import os
import sys
from pathlib import Path

import click

from contract.text import printable
from daemon.commands.option_types import FolderOrFile
from daemon.commands.shared_options import preview_option
from daemon.install.errors import ServiceError

_user = click.option("--user", is_flag=True, help="Your own service, without root, instead of the system's.")
_yes = click.option("--yes", is_flag=True, help="Do it without asking.")


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
@click.option("--inbox", type=FolderOrFile(), required=True, help="Folder to take photos from; must be there.")
@click.option("--output", type=FolderOrFile(), required=True, help="Folder of the class folders.")
@click.option("--model", type=FolderOrFile(), help="Model made by `phototriage convert`; else the one that ships.")
@_user
@click.option("--service-user", metavar="USER", help="Run as this user, who shares the folders, not as their owner.")
@click.option("--no-start", is_flag=True, help="Enable it for the next start of the machine only.")
@preview_option
@_yes
def install(
    name: str,
    inbox: Path,
    output: Path,
    model: Path | None,
    user: bool,
    service_user: str | None,
    no_start: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Install an inbox as a service, and start it.

    Writes /etc/phototriage/NAME.toml, where every other setting can be added, and the unit phototriage@NAME, which runs
    the phototriage that is called here. The service works as the owner of the inbox; with --service-user as another
    user, with whom the folders are shared by a group ("phototriage" is made, if it is not there). Inbox and output
    should lie in one folder of their own: that folder is all that the service may write to. What will be done is shown
    first; a second time there is nothing to do.

    \b
    Examples:
      sudo phototriage service install scenes --inbox /srv/photos/inbox --output /srv/photos/sorted
      sudo phototriage service install sea --inbox /srv/sea/in --output /srv/sea/out --service-user phototriage
      phototriage service install scenes --user --inbox ~/photos/inbox --output ~/photos/sorted --dry-run
    """
    from daemon.install.places import places
    from daemon.install.plan import carry_out, steps
    from daemon.install.service_spec import wish

    if user and service_user:
        raise click.UsageError("--service-user needs root, and --user is without.")
    where = places(name, user=user)
    _check_who(user=user, dry_run=dry_run)
    if not no_start and not dry_run:
        _check_systemd(where.systemctl, user=user)
    try:
        wanted = wish(where, inbox, output, model, service_user)
        todo = steps(wanted, start=not no_start)
    except OSError as error:  # of a share that keeps root out, or a home that keeps others out
        raise ServiceError(f"{printable(error.filename or inbox)} cannot be looked at ({error.strerror}).") from error
    if not todo:
        click.echo(f"{where.unit} is installed like this already: nothing is changed.")
        return
    if not _agreed([step.tell() for step in todo], dry_run=dry_run, yes=yes):
        return
    carry_out(wanted, todo)
    click.echo(_how_it_is(where.unit, user=user, started=not no_start))


@service.command()
@click.argument("name")
@_user
@click.option("--purge-state", is_flag=True, help="Remove its ledger too: no photo can be taken back after that.")
@preview_option
@_yes
def uninstall(name: str, user: bool, purge_state: bool, dry_run: bool, yes: bool) -> None:
    """Stop a service and take back what `service install` wrote.

    Photos stay where they are, in the inbox and under their classes. So does what was changed since it was written, and
    the ledger without --purge-state; what stays is said.

    \b
    Examples:
      sudo phototriage service uninstall scenes
      phototriage service uninstall scenes --user --dry-run
    """
    from daemon.install.places import places
    from daemon.install.uninstall import installed, leftovers, removals

    where = places(name, user=user)
    _check_who(user=user, dry_run=dry_run)
    record = installed(where)
    found = removals(where, record, purge=purge_state)
    stays = list(leftovers(where, record, purge=purge_state))
    if not _agreed([removal.tell for removal in found], dry_run=dry_run, yes=yes):
        return
    for removal in found:
        removal.do()
    click.echo(f"{where.unit} is uninstalled." + "".join(f"\n  {sentence}" for sentence in stays))


def _check_who(*, user: bool, dry_run: bool) -> None:
    if not user and os.geteuid() != 0 and not dry_run:
        raise ServiceError("A service of the system needs root: call this with sudo, or make it your own with --user.")
    if user and os.geteuid() == 0:
        raise ServiceError("--user makes a service of the one who calls, and that is root now. Call it without sudo.")


def _check_systemd(systemctl: tuple[str, ...], *, user: bool) -> None:
    from daemon.install.steps import output

    if output(*systemctl, "show", "--property=Version").returncode == 0:
        return
    if user and not os.environ.get("XDG_RUNTIME_DIR"):
        raise ServiceError(
            "Your systemd cannot be reached, for XDG_RUNTIME_DIR is not set, as after su and sudo -u. Log in as this "
            "user (ssh, machinectl shell), and call it there."
        )
    raise ServiceError(
        "No systemd answers here, so nothing can be started. On a machine that is only being prepared, call it with "
        "--no-start; elsewhere something else must start `phototriage watch`."
    )


def _agreed(lines: list[str], *, dry_run: bool, yes: bool) -> bool:
    """Show what will be done, and return whether to do it."""
    click.echo("This would be done:" if dry_run else "This will be done:")
    for line in lines:
        click.echo(f"  {line}")
    if dry_run or yes:
        return not dry_run
    if not sys.stdin.isatty():
        raise ServiceError("Nothing was done: nobody is here to be asked. Call it again with --yes.")
    return click.confirm("Do it?")


def _how_it_is(unit: str, *, user: bool, started: bool) -> str:
    own = " --user" if user else ""
    lines = [f"{unit} is installed{' and runs' if started else ''}."]
    lines += [f"  how it is:   systemctl{own} status {unit}", f"  what it does: journalctl{own} --follow --unit {unit}"]
    if user:
        lines += ["  It ends when you log out, unless you say once: loginctl enable-linger"]
    return "\n".join(lines)

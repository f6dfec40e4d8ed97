"""`phototriage status`: the state of each daemon, for people, scripts and monitoring."""

import json
from collections.abc import Iterable
from pathlib import Path

import click

from daemon.commands.shared_options import inbox_option, json_option

FINE, BAD, SLOW = 0, 1, 3
"""Exit codes; 2 is wrong usage, as everywhere."""


@click.command()
@inbox_option
@json_option
@click.pass_context
def status(ctx: click.Context, inbox: Path | None, as_json: bool) -> None:
    """Show the daemon's state: what waits, how fast it is, what failed.

    Asks each running daemon over a socket in its state folder. For a stopped daemon, the ledger tells what was filed.
    Without --inbox, shows every daemon of this user and of the services that this user may ask.

    \b
    Exit code, for monitoring:
      0  every daemon shown is ready and files photos
      1  a daemon is not running, starting, stopping, paused or stuck, or does not answer; or no daemon is running
         (a run by hand that has ended does not count beside other daemons)
      2  wrong usage
      3  a daemon is degraded: it files, but on the CPU despite an NVIDIA driver, or it cannot file some photos

    \b
    Examples:
      phototriage status
      phototriage status --inbox ~/inbox --json | jq .waiting.oldest_s
      phototriage status --inbox /srv/phototriage/NAME/inbox || systemctl status phototriage@NAME
      curl --unix-socket /var/lib/phototriage/NAME/status.sock http://phototriage/metrics
    """
    from daemon.status.client import ask_all
    from daemon.status.table import table

    states = []
    for one in ask_all(inbox):
        click.echo(json.dumps(one.to_json()) if as_json else table(one))
        states.append(one.state)
    ctx.exit(exit_code(states))


def exit_code(states: Iterable[str]) -> int:
    """Return the exit code for some daemons: the code of the worst one."""
    from daemon.status.snapshot_parts import State

    found = set(states)
    if found - {State.READY, State.DEGRADED, State.ENDED} or found == {State.ENDED}:
        return BAD
    return SLOW if State.DEGRADED in found else FINE

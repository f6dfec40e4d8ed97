"""`phototriage status`: how the daemons are, for people, scripts and monitoring."""

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
    """Show how the daemon is: what waits, how fast it is, what failed.

    The running process is asked, over a socket in its state folder; of one that is down, its ledger tells what was
    filed. Without --inbox, all daemons of this user and of the services that this user may ask.

    \b
    Exit code, for monitoring:
      0  ready: each daemon asked about files what comes
      1  one is not running, starting, stopping, paused or stuck, or does not answer; or there is none at work
         (what was run by hand and then ended does not count beside others)
      2  wrong usage
      3  one is degraded: it files, but on the CPU though an NVIDIA driver is there, or some photos cannot be filed

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
    """Return the code for some daemons: that of the worst of them."""
    from daemon.status.snapshot_parts import State

    found = set(states)
    if found - {State.READY, State.DEGRADED, State.ENDED} or found == {State.ENDED}:
        return BAD
    return SLOW if State.DEGRADED in found else FINE

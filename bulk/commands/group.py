"""`phototriage bulk`: one command a step; each one is imported when it is called."""

from importlib import import_module

import click

COMMANDS = {
    "plan": "bulk.commands.plan:plan",
    "run": "bulk.commands.run:run",
    "file": "bulk.commands.file:file",
    "report": "bulk.commands.report:report",
}
"""Where each step lives, in the order of their use."""


class Steps(click.Group):
    """A click group that imports a step when it is called, so that none pays for the packages of another."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the step; for an unknown name return None, which click reports as wrong usage."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(cls=Steps)
def bulk() -> None:
    """Judge millions of photos in storage, and file them.

    First list the photos: a plan holds them in parts, which processes judge one at a time. Only `file` moves photos.

    \b
    Examples:
      phototriage bulk plan /photos --output plan
      phototriage bulk run plan --output results
      phototriage bulk report results --output report
      phototriage bulk file results --inbox /photos --output /sorted
    """

"""Options that several commands share: which ledger, which class, since when."""

import click

from daemon.commands.option_types import FolderOrFile
from daemon.commands.time_option import When

STATES = ("filed", "review", "failed", "duplicate", "undone", "retried", "gone", "open")

inbox_option = click.option(
    "--inbox", type=FolderOrFile(), envvar="PHOTOTRIAGE_INBOX", help="Whose ledger; without it, all that are found."
)
since_option = click.option(
    "--since", type=When(), metavar="TIME", help="A date, a date and time, or 90min, 12h, 3d ago."
)
label_option = click.option("--label", metavar="CLASS", help="Only photos of this class.")

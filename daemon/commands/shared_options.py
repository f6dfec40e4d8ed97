"""Options that several commands share: which inbox, which photos, on what device, and how the answer is printed."""

from pathlib import Path

import click

from common import options
from daemon.commands.option_types import FolderOrFile
from daemon.commands.time_option import PointInTime
from daemon.review import ReviewReason

inbox_option = click.option(
    "--inbox", type=FolderOrFile(), envvar="PHOTOTRIAGE_INBOX", help="Ask about this inbox only; default: every inbox."
)
one_inbox_option = click.option(
    "--inbox", type=FolderOrFile(), envvar="PHOTOTRIAGE_INBOX", help="The inbox; needed only if there are several."
)
service_option = click.option("--for", "service", metavar="NAME", help="The service of this name, instead of --inbox.")
since_option = click.option(
    "--since", type=PointInTime(), metavar="TIME", help="A date, a date and time, or 90min, 12h, 3d ago."
)
said_option = click.option(
    "--said", metavar="CLASS", help="Only photos that people said to be of this class; _other: of none of the classes."
)
device_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
    envvar="PHOTOTRIAGE_DEVICE", help="auto uses CUDA if it works; cuda refuses anything else.",
)  # fmt: skip
unfamiliar_option = click.option(
    "--unfamiliar", type=click.Choice(["review", "file"]), default="review", show_default=True,
    envvar="PHOTOTRIAGE_UNFAMILIAR",
    help="Put photos unlike those that the model has learnt from into _review, or file them under a class.",
)  # fmt: skip
reason_option = click.option(
    "--reason", type=click.Choice([reason.value for reason in ReviewReason]),
    help="Only photos that went to review for this reason.",
)  # fmt: skip
preview_option = click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
json_option = options.json_option("one JSON object per line")
yes_option = click.option("--yes", is_flag=True, help="Do it without asking.")


def check_one(inbox: Path | None, service: str | None) -> None:
    """Refuse an inbox and a service together."""
    if inbox is not None and service is not None:
        raise click.UsageError("--inbox and --for cannot be combined.")

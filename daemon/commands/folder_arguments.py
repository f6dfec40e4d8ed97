"""Folders that were passed to `sort` or `watch` without an option, as by dragging them: which command to use."""

import shlex
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import click

from common.text import printable

MOST_FILES = 2_000
"""Files that are counted in one folder before the answer."""


class OneInbox(click.Command):
    """A command that takes its folders by options, and one inbox at a time."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse folders without an option, and a second inbox, in a sentence that says what to do."""
        if not ctx.resilient_parsing:
            given, folders, _ = self.make_parser(ctx).parse_args(list(args))
            inboxes = [args[place + 1] for place, word in enumerate(args[:-1]) if word == "--inbox"]
            if len(set(inboxes)) > 1:  # click would take the last one and say nothing of the others
                ctx.fail(f"One run has one inbox, and --inbox came with {', '.join(map(printable, inboxes))}.")
            if folders:
                ctx.fail(_about(str(self.name), folders, given))
        return super().parse_args(ctx, args)


def _about(command: str, folders: list[str], given: dict[str, Any]) -> str:
    counted = [(folder, *_photos(Path(folder))) for folder in folders]
    named = ", ".join(f"{printable(folder)} ({_words(*count)})" for folder, *count in counted)
    begin = f"Folders are given by options, and one inbox at a time. Without an option came: {named}."
    if len(folders) == 2 and "inbox" not in given and "output" not in given and not any(counted[1][1:]):
        return f"{begin} Use: {_command(command, folders[0], folders[1], counted[0][2])}"
    output = str(given.get("output") or "OUTPUT")
    commands = [_command(command, folder, output, below) for folder, itself, below in counted if itself or below]
    return f"{begin} Use: {'; then: '.join(commands)}" if commands else begin


def _photos(folder: Path) -> tuple[int, int]:
    """Return how many photos lie in a folder itself and below it, by their names."""
    from contract.formats import has_photo_name
    from daemon.intake.filters import PathFilter
    from daemon.intake.walk import scan

    itself = below = 0
    with suppress(OSError), closing(scan(PathFilter(folder, recursive=True))) as files:
        for path in filter(has_photo_name, islice(files, MOST_FILES)):
            itself += path.parent == folder
            below += path.parent != folder
    return itself, below


def _words(itself: int, below: int) -> str:
    count = itself + below
    return f"{count:,}{' or more' if count >= MOST_FILES else ''} photo{'s' * (count != 1)}"


def _command(command: str, inbox: str, output: str, below: int) -> str:
    named = (("inbox", inbox), ("output", output))
    folders = " ".join(f"--{name} {shlex.quote(printable(path))}" for name, path in named)
    return f"phototriage {command} {folders}{' --recursive' if below else ''}"

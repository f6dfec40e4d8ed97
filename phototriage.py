"""Front door: one command, `phototriage`, whose subcommands are loaded only when they are called.

TensorFlow takes seconds to import. `phototriage --help` must not wait for it, and `watch` must work without it.
So the group below holds the module and one line of help of each subcommand, and imports a subcommand when it is called.
An error that a user can cause becomes one sentence and an exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted,
141 the reader of the output has gone.
"""

import importlib
import io
import os
import signal
import sys
from difflib import get_close_matches
from typing import Any, NamedTuple, NoReturn, TextIO

import click
from click.shell_completion import CompletionItem

__version__ = "0.1.0"


class Entry(NamedTuple):
    """Where a subcommand lives, as `module:attribute`, and its line in `phototriage --help`."""

    target: str
    line: str


GROUPS = {
    "Sort photos": {
        "demo": Entry("daemon.commands.demo:demo", "Run the daemon on drawn pictures, then exit."),
        "sort": Entry("daemon.commands.watch:sort", "File the photos of a folder under their classes, then exit."),
        "watch": Entry("daemon.commands.watch:watch", "File each photo that arrives in a folder, until stopped."),
    },
    "Ask and undo": {
        "status": Entry(
            "daemon.commands.status:status", "Show the daemon's state: what waits, how fast it is, what failed."
        ),
        "history": Entry("daemon.commands.ask:history", "Show what was filed, when and where; newest first."),
        "explain": Entry(
            "daemon.commands.ask:explain",
            "Explain one photo: where it was filed, when and why, where it is now, and what people said about it.",
        ),
        "undo": Entry("daemon.commands.moves.undo:undo", "Move filed photos back to the inbox, with their companions."),
        "retry": Entry(
            "daemon.commands.moves.undo:retry",
            "Move failed photos, or those in _review, to the inbox to try them again.",
        ),
    },
    "Correct what is wrong": {
        "labels": Entry(
            "daemon.commands.labels.group:labels", "Show what people said about photos, and correct what is wrong."
        ),
        "learn": Entry("learn.command:learn", "Learn from what people said, and use the better model."),
        "refile": Entry(
            "daemon.commands.moves.refile:refile_command",
            "Move what is filed already to where the model in use would file it.",
        ),
        "audit": Entry(
            "daemon.commands.audit.command:audit", "Measure the filing: ask blind about photos drawn at random."
        ),
    },
    "Many photos, many machines": {
        "bulk": Entry("bulk.commands.group:bulk", "Judge millions of photos in storage, and file them."),
    },
    "Set up and maintain": {
        "doctor": Entry("daemon.commands.doctor:doctor", "Find problems before they occur, and say how to fix each."),
        "service": Entry("daemon.commands.service:service", "Install an inbox as a systemd service, or uninstall it."),
        "forget": Entry(
            "daemon.commands.forget:forget",
            "Forget an inbox that is no longer used: remove its ledger, keep every photo.",
        ),
        "completion": Entry(
            "daemon.commands.completion:completion", "Print a script that completes commands and options in a shell."
        ),
    },
    "Choose the model": {
        "inspect": Entry(
            "contract.cli:inspect", "Show the contract inside a model: labels, geometry, thresholds, metrics."
        ),
        "replay": Entry(
            "daemon.commands.replay:replay_command", "Show what another model would have filed differently."
        ),
        "model": Entry("daemon.commands.model:model", "Switch the model of an inbox, roll back, and list past models."),
    },
    "Train a model of your own": {
        "collect": Entry("collect.command:collect", "Collect candidates for a class from the web, with licences."),
        "check-data": Entry(
            "training.commands.check_data:check_data",
            "Find unreadable, duplicate, leaking and suspicious photos in folders of labelled photos.",
        ),
        "train": Entry("training.commands.train:train", "Fine-tune a classifier on folders of labelled photos."),
        "train-broad": Entry(
            "training.commands.train_broad:train_broad",
            "Train the broad network, from which `train` begins, on unlabelled photos of all kinds.",
        ),
        "report": Entry("training.commands.report:report", "Write report.html and its figures from a run folder."),
        "evaluate": Entry("training.commands.evaluate:evaluate", "Measure a model on labelled photos."),
        "compare": Entry(
            "training.commands.compare:compare",
            "Compare runs, evaluations and model files: metrics, and photos whose prediction changed.",
        ),
        "convert": Entry("convert.cli:convert", "Turn a run folder into one verified model file."),
        "cache": Entry(
            "training.commands.cache:cache", "Show what the cache of decoded photos and features holds, or clean it."
        ),
    },
}
"""The subcommands in the order of `phototriage --help`: the first ones are those that a newcomer needs."""

COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}


class FrontDoor(click.Group):
    """A click group that imports a subcommand when it is called, and turns errors into a sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand; for an unknown name return None, which click reports as wrong usage."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            if near := get_close_matches(cmd_name, COMMANDS, n=2):
                ctx.fail(f"No such command {cmd_name!r}. Did you mean {' or '.join(near)}?")
            return None
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands from the table above: click's own method would import every one of them."""
        width = max(map(len, COMMANDS))
        for heading, group in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), entry.line) for name, entry in group.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete the subcommands from the table above, because click's own method would import every one of them."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        found = [CompletionItem(name, help=COMMANDS[name].line) for name in names]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; an error that a user can cause or fix becomes one sentence on stderr."""
        from common.errors import PhototriageError

        try:
            return super().invoke(ctx)
        except PhototriageError as error:
            fail(ctx, str(error))
        except (ImportError, AttributeError) as error:
            from common.packages import missing_package

            if sentence := missing_package(f"`{ctx.invoked_subcommand}`", error):
                fail(ctx, sentence)
            raise
        except KeyboardInterrupt:
            ctx.exit(128 + signal.SIGINT)


class StdoutError(Exception):
    """Standard output cannot be written. Not an OSError, because click and rich handle those in their own way."""


class Stdout(io.FileIO):
    """Standard output. A command that prints an answer ends when nobody reads it any more."""

    def write(self, data: Any) -> int:
        """Write, or raise StdoutError from the reason."""
        try:
            return super().write(data) or 0
        except OSError as error:
            raise StdoutError from error


class Stderr(io.FileIO):
    """Standard error. No command fails because nobody reads it."""

    def write(self, data: Any) -> int:
        """Write, and ignore an error."""
        try:
            return super().write(data) or 0
        except OSError:  # nobody reads any more, a terminal is gone, a disk is full
            return len(data)


def make_streams_safe() -> None:
    """Make the standard streams safe to use, even if the caller closed one or its reader has gone.

    A closed stream becomes /dev/null. Otherwise the next file that is opened, such as the ledger or a photo, would get
    the stream's number, and messages would be written into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest free number, which is this one
    sys.stdin = sys.stdin or io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stdout = _wrapped(Stdout(1, "w", closefd=False), sys.stdout)
    sys.stderr = _wrapped(Stderr(2, "w", closefd=False), sys.stderr)


def _wrapped(raw: io.FileIO, was: TextIO | None) -> TextIO:
    encoding, errors = (was.encoding, was.errors) if was else (None, None)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors, line_buffering=True)


def fail(ctx: click.Context, sentence: str) -> NoReturn:
    """Print the sentence on stderr and exit 1."""
    click.echo(f"phototriage: {sentence}", err=True)
    ctx.exit(1)


@click.group(cls=FrontDoor, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="phototriage")
def cli() -> None:
    """Sort photos into folders by what they show.

    Drop photos into a folder: each one is classified and filed under its class, in milliseconds, and none is ever
    lost. Train the classifier on your own folders, convert it once, and let the daemon do the rest.

    \b
    Examples:
      phototriage demo
      phototriage sort --inbox inbox --output sorted --dry-run
      phototriage watch --inbox inbox --output sorted
      phototriage train photos --output run
      phototriage convert run --output model.onnx
      phototriage sort --inbox inbox --output sorted --model model.onnx
    """


def main() -> None:
    """Entry point of the console script."""
    make_streams_safe()
    try:
        cli(prog_name="phototriage")
    except StdoutError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python flushes the rest here when it exits
        if isinstance(error.__cause__, BrokenPipeError):  # as with `history | head`
            sys.exit(128 + signal.SIGPIPE)
        click.echo(f"phototriage: Standard output cannot be written ({error.__cause__}).", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()

"""`phototriage completion`: a shell script that completes commands, options and file names."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_PHOTOTRIAGE_COMPLETE"
"""The shell sets this variable to ask for completions; click reads it before any command runs."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that completes commands and options in a shell.

    Save the script where your shell looks for completions, or call this command from the shell's start-up file.
    bash must be 4.4 or newer.

    \b
    Examples:
      echo 'eval "$(phototriage completion bash)"' >> ~/.bashrc
      echo 'eval "$(phototriage completion zsh)"' >> ~/.zshrc
      phototriage completion fish > ~/.config/fish/completions/phototriage.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click supports every shell in the list of choices"
    click.echo(kind(ctx.find_root().command, {}, "phototriage", VARIABLE).source())

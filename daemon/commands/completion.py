"""`phototriage completion`: the lines by which a shell completes commands, options and file names."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_PHOTOTRIAGE_COMPLETE"
"""By which the shell asks; click looks at it before any command is run."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands and options.

    Put it where your shell reads it, or let the shell's own start-up file call it. bash must be 4.4 or newer.

    \b
    Examples:
      echo 'eval "$(phototriage completion bash)"' >> ~/.bashrc
      echo 'eval "$(phototriage completion zsh)"' >> ~/.zshrc
      phototriage completion fish > ~/.config/fish/completions/phototriage.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells that it is asked for"
    click.echo(kind(ctx.find_root().command, {}, "phototriage", VARIABLE).source())

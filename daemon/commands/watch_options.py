"""The options of `watch` and `sort`: flags, variables, and keys of a TOML file."""

import functools
import os
import tomllib
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from contract.shipped import SHIPPED_MODEL
from contract.text import printable
from daemon.commands.option_types import FolderOrFile, Pattern, ReviewBelow, Seconds, Template
from daemon.commands.shared_options import device_option, json_option
from daemon.filing.layout import DEFAULT_LAYOUT
from daemon.settings import Settings

_WORDS = {
    str: "a text in quotes",
    list: "a list of texts in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}

_OPTIONS = (
    click.option("--inbox", type=FolderOrFile(), required=True, help="Folder to take photos from."),
    click.option("--output", type=FolderOrFile(), required=True, help="Folder of the class folders."),
    click.option("--recursive", is_flag=True, help="Look into folders in the inbox too; see --layout."),
    click.option(
        "--ignore", type=Pattern(), multiple=True, default=[], metavar="GLOB",
        help="Leave alone what has such a name, or with a slash such a path below the inbox. May be given repeatedly.",
    ),
    click.option(
        "--model", type=FolderOrFile(), default=SHIPPED_MODEL, show_default="the shipped scenes.onnx",
        help="Model made by `phototriage convert`.",
    ),
    click.option(
        "--mode", type=click.Choice(["move", "copy", "hardlink", "symlink"]), default="move", show_default=True,
        help="move photos, or leave them in the inbox and file a copy, a hard link or a symbolic link of each.",
    ),
    click.option(
        "--layout", type=Template(), default=DEFAULT_LAYOUT, show_default=True,
        help="Where below the output a photo goes; {date:%Y/%m}, of taking, is a field too.",
    ),
    click.option(
        "--duplicates", type=click.Choice(["keep", "set-aside"]), default="keep", show_default=True,
        help="Put photos of equal content as one that is filed already into _duplicates, or file them too.",
    ),
    device_option,
    click.option(
        "--gpu-memory", type=click.IntRange(min=0), default=4096, show_default=True, metavar="MB",
        help="Most that the model may take of the GPU's memory; 0 for all there is.",
    ),
    click.option(
        "--review-below", type=ReviewBelow(), default="off", show_default=True,
        help="Put unsure photos into _review: below this probability, or below the model's own thresholds (auto).",
    ),
    click.option(
        "--give-up-after", type=Seconds(), default=60.0, show_default=True, metavar="SECONDS",
        help="Put an unreadable photo into _failed once it has not changed for so long.",
    ),
    click.option(
        "--workers", type=click.IntRange(min=0), default=0, show_default="one a core",
        help="Threads that read photos.",
    ),
    click.option(
        "--decode-in", type=click.Choice(["auto", "threads", "processes"]), default="auto", show_default=True,
        help="Decode in the daemon's threads, or in a child process each; auto: processes for a backlog on many cores.",
    ),
    click.option("--quiet", is_flag=True, help="No line for a photo that is filed."),
    json_option,
    click.option(
        "--log-format", type=click.Choice(["text", "keyvalue", "json"]), default="text", show_default=True,
        help="Of each line of the log: a sentence, key=value pairs, or a JSON object.",
    ),
    click.option(
        "--metrics-file", type=FolderOrFile(), metavar="FILE.prom",
        help="Write Prometheus metrics there every 15 s, for node_exporter; needs the extra `metrics`.",
    ),
)  # fmt: skip


def read_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Take a TOML file's values as defaults of the options; a key that is no option is refused."""
    if path is None:
        return
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be read ({error.strerror}).", ctx, param) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} is no valid TOML: {error}", ctx, param) from error
    known = {_key(option): option for option in ctx.command.params if option.name not in ("config", "help")}
    settings = {}
    for key, value in values.items():
        option = known.get(key.replace("-", "_"))
        if option is None:
            hint = _nearest(key, sorted(known), "Known keys")
            raise click.BadParameter(f"{path} has the unknown key {key!r}. {hint}", ctx, param)
        wanted = _kinds(option)
        if type(value) not in wanted or (option.multiple and not all(type(item) is str for item in value)):
            kinds = " or ".join(_WORDS[kind] for kind in wanted)
            raise click.BadParameter(f"{path}: the key {key!r} must be {kinds}, and is {value!r}.", ctx, param)
        settings[str(option.name)] = value
    ctx.default_map = {**(ctx.default_map or {}), **settings}


def _key(option: click.Parameter) -> str:
    return option.opts[0].strip("-").replace("-", "_")


def _kinds(option: click.Parameter) -> tuple[type, ...]:
    """Types that an option's value may have in a file; click would make numbers of booleans, and paths of numbers."""
    if isinstance(option, click.Option) and option.is_flag:
        return (bool,)
    if isinstance(option, click.Option) and option.multiple:
        return (list,)
    if isinstance(option.type, click.IntRange):
        return (int,)
    if isinstance(option.type, click.FloatRange):
        return int, float
    return (str, int, float) if isinstance(option.type, ReviewBelow) else (str,)


def options(command: Callable[[Settings], None]) -> Callable[..., None]:
    """Give a command the daemon's options, each also as PHOTOTRIAGE_NAME and as a key of --config FILE.toml."""

    @functools.wraps(command)
    def with_settings(**values: Any) -> None:
        command(Settings(**values))

    decorated: Callable[..., None] = with_settings
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    config = click.option(
        "--config", type=FolderOrFile(), is_eager=True, expose_value=False, callback=read_config,
        envvar="PHOTOTRIAGE_CONFIG", help="TOML file with these options as keys; flags win over it.",
    )  # fmt: skip
    decorated = config(decorated)
    for parameter in decorated.__click_params__:  # type: ignore[attr-defined]
        parameter.envvar = parameter.envvar or "PHOTOTRIAGE_" + parameter.opts[0].strip("-").replace("-", "_").upper()
    return decorated


def refuse_unknown_environment() -> None:
    """Raise UsageError for a PHOTOTRIAGE_* variable that means nothing: it is a misspelt setting."""
    parameters = click.get_current_context().command.params
    known = sorted(str(parameter.envvar) for parameter in parameters if parameter.envvar)
    allowed = {*known, "PHOTOTRIAGE_SYSTEM_TESTS"}  # the tests' own
    unknown = sorted(name for name in os.environ if name.startswith("PHOTOTRIAGE_") and name not in allowed)
    if unknown:
        hint = _nearest(unknown[0], known, "Known", "PHOTOTRIAGE_")
        raise click.UsageError(f"The environment variable {printable(unknown[0])} is no setting. {hint}")


def _nearest(name: str, known: list[str], heading: str, prefix: str = "") -> str:
    near = get_close_matches(name.removeprefix(prefix), [one.removeprefix(prefix) for one in known], n=2, cutoff=0.7)
    if near:
        return f"Did you mean {' or '.join(prefix + one for one in near)}?"
    return f"{heading}: {', '.join(known)}."

"""The options of `watch` and `sort`: flags, variables, and keys of a TOML file."""

import functools
import os
import tomllib
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from common.text import printable
from contract.shipped import SHIPPED_MODEL
from daemon.commands.option_types import FolderOrFile, Pattern, ReviewBelow, Seconds, Template
from daemon.commands.shared_options import device_option, json_option, unfamiliar_option
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
    click.option("--output", type=FolderOrFile(), required=True, help="Folder that holds the class folders."),
    click.option("--recursive", is_flag=True, help="Also take photos from folders inside the inbox; see --layout."),
    click.option(
        "--ignore", type=Pattern(), multiple=True, default=[], metavar="GLOB",
        help="Leave files with this name alone; with a slash, this path below the inbox. May be repeated.",
    ),
    click.option(
        "--model", type=FolderOrFile(), default=SHIPPED_MODEL, show_default="the shipped scenes.onnx",
        help="Model made by `phototriage convert`.",
    ),
    click.option(
        "--mode", type=click.Choice(["move", "copy", "hardlink", "symlink"]), default="move", show_default=True,
        help="Move photos, or keep them in the inbox and file a copy, a hard link or a symbolic link of each.",
    ),
    click.option(
        "--layout", type=Template(), default=DEFAULT_LAYOUT, show_default=True,
        help="Path of a filed photo below the output; {date:%Y/%m} is the date when it was taken.",
    ),
    click.option(
        "--duplicates", type=click.Choice(["keep", "set-aside"]), default="keep", show_default=True,
        help="File a photo whose content is filed already (keep), or put it into _duplicates (set-aside).",
    ),
    device_option,
    click.option(
        "--gpu-memory", type=click.IntRange(min=0), default=4096, show_default=True, metavar="MB",
        help="Limit of the GPU memory for the model; 0 for no limit.",
    ),
    click.option(
        "--review-below", type=ReviewBelow(), default="off", show_default=True,
        help="Put unsure photos into _review: below this probability, or below the model's own thresholds (auto).",
    ),
    unfamiliar_option,
    click.option(
        "--review-notes", is_flag=True,
        help="Write NAME.why.txt beside each photo in _review: the reason, and which classes it might have.",
    ),
    click.option(
        "--embeddings", type=click.Choice(["on", "off"]), default="on", show_default=True,
        help="Keep an embedding of each filed photo beside the ledger; off removes them.",
    ),
    click.option(
        "--give-up-after", type=Seconds(), default=60.0, show_default=True, metavar="SECONDS",
        help="Put an unreadable photo into _failed once it has not changed for this long.",
    ),
    click.option(
        "--workers", type=click.IntRange(min=0), default=0, show_default="one per core",
        help="Threads that read photos.",
    ),
    click.option(
        "--decode-in", type=click.Choice(["auto", "threads", "processes"]), default="auto", show_default=True,
        help="Decode photos in threads or in child processes; auto: processes for a backlog on many cores.",
    ),
    click.option("--quiet", is_flag=True, help="Print no lines for filed photos."),
    json_option,
    click.option(
        "--log-format", type=click.Choice(["text", "keyvalue", "json"]), default="text", show_default=True,
        help="Format of a log line: a sentence, key=value pairs, or a JSON object.",
    ),
    click.option(
        "--metrics-file", type=FolderOrFile(), metavar="FILE.prom",
        help="Write Prometheus metrics to this file every 15 s, for node_exporter; needs the extra `metrics`.",
    ),
)  # fmt: skip


def read_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Use a TOML file's values as defaults of the options; refuse an unknown key."""
    if path is None:
        return
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be read ({error.strerror}).", ctx, param) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} is not valid TOML: {error}", ctx, param) from error
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
            raise click.BadParameter(f"{path}: the key {key!r} must be {kinds}, not {value!r}.", ctx, param)
        settings[str(option.name)] = value
    ctx.default_map = {**(ctx.default_map or {}), **settings}


def _key(option: click.Parameter) -> str:
    return option.opts[0].strip("-").replace("-", "_")


def _kinds(option: click.Parameter) -> tuple[type, ...]:
    """Return the types that a value may have in the file: click would turn booleans into numbers, numbers to paths."""
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
    """Raise UsageError for an unknown PHOTOTRIAGE_* variable, because it is a misspelt setting."""
    parameters = click.get_current_context().command.params
    known = sorted(str(parameter.envvar) for parameter in parameters if parameter.envvar)
    allowed = {*known, "PHOTOTRIAGE_SYSTEM_TESTS"}  # set by the tests
    unknown = sorted(name for name in os.environ if name.startswith("PHOTOTRIAGE_") and name not in allowed)
    if unknown:
        hint = _nearest(unknown[0], known, "Known", "PHOTOTRIAGE_")
        raise click.UsageError(f"The environment variable {printable(unknown[0])} is not a setting. {hint}")


def _nearest(name: str, known: list[str], heading: str, prefix: str = "") -> str:
    near = get_close_matches(name.removeprefix(prefix), [one.removeprefix(prefix) for one in known], n=2, cutoff=0.7)
    if near:
        return f"Did you mean {' or '.join(prefix + one for one in near)}?"
    return f"{heading}: {', '.join(known)}."

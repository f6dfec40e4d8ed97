"""What all benchmarks share: their options, where they work, and how they end."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from benchmarks import machine
from benchmarks.told import Told
from contract.shipped import SHIPPED_MODEL

ROOT = Path(__file__).resolve().parents[1]
WORK = Path.home() / ".cache" / "phototriage-benchmarks"
PAGE = ROOT / "docs" / "measurements.md"


def parser(name: str, told: str | None, short: str) -> argparse.ArgumentParser:
    """The options that every benchmark has.

    Args:
        name: of the module below `benchmarks`.
        told: its docstring.
        short: what --short does.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=told, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(made, short)
    return made


def add_options(made: argparse.ArgumentParser, short: str) -> None:
    """Add them to a parser."""
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument("--short", action="store_true", help=short)
    made.add_argument("--work", type=Path, default=WORK, help=f"for made photos and runs: {WORK}")
    made.add_argument("--record", action="store_true", help="put the result into docs/measurements.md as well")


def add_model(made: argparse.ArgumentParser) -> None:
    """Add the option which model is served."""
    made.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="by default the one that is shipped")


def run_part(of: str, told: str | None, parts: Mapping[str, ModuleType], short: str) -> None:
    """Run the part of a benchmark that the command names, and show what it found.

    Args:
        of: the benchmark's name.
        told: its docstring.
        parts: a module each, with `add_options` and `run`.
        short: what --short does.
    """
    made = argparse.ArgumentParser(description=told, formatter_class=argparse.RawDescriptionHelpFormatter)
    choices = made.add_subparsers(required=True, metavar="PART")
    for name, part in parts.items():
        words = part.__doc__ or ""
        options = choices.add_parser(
            name,
            help=words.partition("\n")[0],
            description=words,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_options(options, short)
        part.add_options(options)
        options.set_defaults(run=part.run, part=name)
    arguments = made.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    finish(f"{of} {arguments.part}", arguments, arguments.run(arguments))


@contextmanager
def workplace(work: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder below `work`, on whose file system everything lies, and remove it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # or it would stay, with what runs in it
    work.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=work.resolve(), prefix=f"{name}-"))
    try:
        yield place
    finally:
        shutil.rmtree(place)


def tell(sentence: str) -> None:
    """Say on standard error what is being done, where somebody looks on."""
    if sys.stderr.isatty():
        print(f"\r\033[K{sentence}", end="", file=sys.stderr, flush=True)


def finish(name: str, arguments: argparse.Namespace, told: Told) -> None:
    """Print what was found, and record it if asked to."""
    tell("")
    told.show(arguments.json)
    if arguments.record:
        record(PAGE, name, told, " ".join(sys.argv[1:]))


def record(page: Path, name: str, told: Told, options: str) -> None:
    """Put a result between the page's two marks of that name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{page} has no place for the results of {name}: {begin} ... {end}")
    words = options.replace("--record", "").split()
    command = " ".join(["python", "-m", f"benchmarks.{name.partition(' ')[0]}", *words])
    intro = f"{machine.today()}, `{command}`: {machine.words()}; load {machine.busy()}."
    page.write_text(f"{before}{begin}\n{intro}\n\n{told.markdown()}\n{end}{after}", encoding="utf-8")

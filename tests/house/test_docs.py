"""The pages in docs/: links and anchors lead somewhere, commands take the options shown, and what is named exists."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from phototriage import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"))
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`]+`")
_COMMAND = re.compile(r"^`?(?:\$ )?(?:sudo )?(?:[A-Z_]+=\S+ )?phototriage ([a-z][^`\n]*)", re.MULTILINE)
_ENDS = {"|", ">", "&&", "#"}
_NOT_OURS = ("status=", "Watchdog", "ReadWritePaths", "--", "_failed")


def anchors(text: str) -> set[str]:
    """Names that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for link in _LINK.findall(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = page.parent / target if target else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            yield link


def commands(text: str) -> list[str]:
    """What follows `phototriage` in code, in blocks and in the text."""
    code = [*_FENCED.findall(text), *_CODE.findall(_FENCED.sub("", text))]
    return [found for piece in code for found in _COMMAND.findall(piece.replace("\\\n", " "))]


def unknown_options(line: str) -> Iterator[str]:
    """The words of a command line, without its first, that the command does not know."""
    command: click.Command = cli
    words = shlex.split(line, posix=False)
    while isinstance(command, click.Group) and words:
        found: click.Command | None = None
        if words[0] in {"--help", "--version", *_ENDS}:
            return
        with suppress(click.UsageError):  # click looks for what may have been meant
            found = command.get_command(click.Context(command), words[0])
        if found is None:
            yield words[0]
            return
        command, words = found, words[1:]
    known = {"--help", *(name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts))}
    for word in words:
        if word in _ENDS:
            return
        if word.startswith("--") and word.partition("=")[0] not in known:
            yield word


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_anchors_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_take_the_options_that_the_page_shows(page: Path) -> None:
    lines = commands(page.read_text(encoding="utf-8"))
    assert [(line, word) for line in lines for word in unknown_options(line)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_benchmarks_that_the_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    files = re.findall(r"`((?:common|contract|training|convert|daemon|benchmarks|tests)/[\w/.]*)`", text)
    assert [file for file in files if not (ROOT / file).exists()] == []
    modules = re.findall(r"python -m (benchmarks[\w.]*\w)", text)
    assert [module for module in modules if find_spec(module) is None] == []


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(line for lines in project["optional-dependencies"].values() for line in lines)]
    names = {re.match(r"[\w-]+", line)[0] for line in asked} - {"phototriage"}  # type: ignore[index]
    rows = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").splitlines()
    told = {name for row in rows if row.startswith("|") for name in re.split(r"[,\s\[\]]+", row.split("|")[1])}
    assert names - told == set()


def test_what_is_wrong_on_a_page_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page, that is\n[a](#a-page-that-is) [b](#b) [c](c.md) [d](https://d.example)\n")
    assert list(broken_links(page)) == ["#b", "c.md"]
    assert commands("`phototriage demo`, or\nphototriage is\n```\n$ phototriage train \\\n  x --seed 3\n```\n") == [
        "train    x --seed 3",
        "demo",
    ]
    assert list(unknown_options("history --since 3d --sinse 2d | jq --any")) == ["--sinse"]
    assert list(unknown_options("histroy")) == ["histroy"]


def test_messages_in_the_table_of_symptoms_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").partition("## By symptom")[2]
    cells = [row.split("|")[1] for row in page.splitlines() if row.startswith("|")]
    quoted = [quote for cell in cells for quote in re.findall(r"`([^`]+)`", cell) if not quote.startswith(_NOT_OURS)]
    code = " ".join(
        path.read_text(encoding="utf-8")
        for room in ("daemon", "common")
        for path in sorted((ROOT / room).rglob("*.py"))
    )
    code = re.sub(r'"\s+f?"', "", code)  # strings that go on in the next line
    parts = [part for quote in quoted for part in re.split(r"NAME|\.\.\.|\d+|\(.*?\)|: |but ", quote)]
    words = [part.strip(" ,") for part in parts]
    assert len(words) > len(cells) / 2
    assert [word for word in words if word not in code] == []

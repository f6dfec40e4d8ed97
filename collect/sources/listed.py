"""Candidates that a file names: JSON lines, or a table such as the sources.csv of another collection."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from collect.errors import CollectError
from collect.sources.candidate import Candidate, candidate_of
from common.sources import uncelled
from common.text import printable

SHOWN = 5
_FORM = 'one JSON object a line, such as {"url": "https://...", "licence": "by"}'


class Listed:
    """Candidates of a list.

    Args:
        file: a table with the columns url and licence, if its name ends in .csv; else JSON lines.
    """

    def __init__(self, file: Path) -> None:
        self.name, self._file = f"list:{printable(file.name)}", file

    def leaves(self) -> str:
        """Return what leaves this machine, and whereto.

        Raises:
            CollectError: the list cannot be read.
        """
        hosts = list(dict.fromkeys(urlsplit(each.url).hostname or "" for each in self.candidates()))
        more = f" and {len(hosts) - SHOWN} more" if len(hosts) > SHOWN else ""
        named = ", ".join(printable(host) for host in hosts[:SHOWN])
        asked = "1 host is" if len(hosts) == 1 else f"{len(hosts)} hosts are"
        return f"No query leaves this machine. {asked} asked for photos: {named}{more}."

    def candidates(self) -> Iterator[Candidate]:
        """Yield the candidates in the order of the list.

        Raises:
            CollectError: the list cannot be read, or a line of it names no photo.
        """
        try:
            with self._file.open(newline="", encoding="utf-8") as lines:
                if self._file.suffix.lower() == ".csv":
                    yield from _of_table(lines, printable(self._file))
                else:
                    yield from of_json_lines(lines, printable(self._file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CollectError(
                f"The list {printable(self._file)} cannot be read ({error}). Pass another file."
            ) from error


def of_json_lines(lines: Iterable[str], name: str) -> Iterator[Candidate]:
    """Yield the candidate of each line; empty lines are left out.

    Args:
        name: of what gave the lines, for the error.

    Raises:
        CollectError: a line is no such object.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        yield _named(value, f"Line {number} of {name}", _FORM)


def _of_table(lines: Iterable[str], name: str) -> Iterator[Candidate]:
    for number, row in enumerate(csv.DictReader(lines), 2):
        fields = {key: uncelled(value) for key, value in row.items() if isinstance(value, str)}
        yield _named(fields, f"Line {number} of {name}", "a table with the columns url and licence")


def _named(value: object, where: str, form: str) -> Candidate:
    found = candidate_of(value) if isinstance(value, dict) else None
    if found is None:
        raise CollectError(f"{where} names no URL. Write {form}.")
    return found

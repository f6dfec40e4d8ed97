"""Where a copy goes: a folder or URL, and a layout below it, in one text such as `s3://bucket/sorted/{label}/`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from bulk.filing.errors import FilingError
from bulk.filing.judged import Judged
from bulk.storage import is_url, local_path
from common.text import printable
from daemon.filing.layout import DEFAULT_LAYOUT, Layout
from daemon.photo import Outcome

_REST = DEFAULT_LAYOUT.removeprefix("{label}/")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_EXAMPLE = "s3://bucket/sorted/{label}/"


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed text.

    Attributes:
        text: as the user gave it.
        base: folder or URL that holds all copies, and their manifest.
        layout: path of a copy below the base.
    """

    text: str
    base: str
    layout: Layout

    def place_of(self, row: Judged) -> str:
        """Return the path of a row's copy below the base; photos without a class keep the default layout."""
        layout = self.layout if row.judgement.outcome is Outcome.FILED else Layout(DEFAULT_LAYOUT)
        return str(layout.path_of(row.judgement.folder, _relpath(row), name_of(row), _NEVER))


def parsed(text: str) -> Template:
    """Return the template in a text; without `{name}` it ends with the photo's folder and name.

    Raises:
        FilingError: it names no class, a date, or no place.
        LayoutError: it is no layout.
    """
    if "{label" not in text:
        raise FilingError(
            f"--copy-to {printable(text)!r} does not say where the class goes: use {{label}}, as in {_EXAMPLE}."
        )
    base, _, below = text[: text.index("{")].rpartition("/")
    below += text[text.index("{") :]
    if "{name" not in below:
        below = f"{below.rstrip('/')}/{_REST}"
    layout = Layout(below, "--copy-to")
    if layout.needs_date:
        raise FilingError(
            f"--copy-to {printable(text)!r} cannot be used: results do not hold when photos were taken. Leave {{date}} "
            "out, or file with --output, which reads it."
        )
    if is_url(text) and not is_url(f"{base}/"):
        raise FilingError(f"--copy-to {printable(text)!r} names no place. An example is {_EXAMPLE}")
    return Template(text, base or "/", layout)


def name_of(row: Judged) -> str:
    """Return the name of a row's file."""
    path = local_path(row.path)
    return PurePosixPath(row.path).name if path is None else path.name


def _relpath(row: Judged) -> Path:
    """Return a row's folder below its root; one that would lead out of it counts for nothing."""
    relpath = PurePosixPath(row.relpath)
    return Path() if relpath.is_absolute() or ".." in relpath.parts else Path(relpath)

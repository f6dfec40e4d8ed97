"""Where under the output a photo goes: a template of folders, checked once at the start; and how it is filed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter

from common.errors import PhototriageError
from common.text import printable
from daemon.photo import Mode
from daemon.settings import Settings

DEFAULT_LAYOUT = "{label}/{relpath}/{name}"
FIELDS = ("label", "relpath", "name", "date")
_EXAMPLE = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)
_DATE_FORMAT = re.compile(r"(?:[^%{}]|%[YmdHMSyjGVubB%])*")
"""Date fields that may name a folder: none that depends on a time zone, or may be empty."""


class LayoutError(PhototriageError):
    """A layout template is not valid."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a template.

    Attributes:
        before: text before the field.
        field: one of `FIELDS`; empty at the end of a template that ends with text.
        form: of a date.
    """

    before: str
    field: str
    form: str


class Layout:
    """Fills a template such as `{label}/{date:%Y/%m}/{name}`.

    Args:
        template: folders and `{name}`, with the fields `{label}`, `{relpath}` (the photo's folder below the inbox),
            `{name}` and `{date}` (when the photo was taken, in strftime format).
        option: what the user passed it by, for the error's text.

    Attributes:
        parts: of the template, in order.
        names: folder of each class that has another name than its class.

    Raises:
        LayoutError: it leads out of the output, does not end with `{name}`, or has an unknown field.
    """

    def __init__(self, template: str = DEFAULT_LAYOUT, option: str = "--layout") -> None:
        self._template, self._option = template, option
        self.names: Mapping[str, str] = {}
        if not template.isprintable():
            raise self._refused("it holds characters that cannot be printed")
        self.parts = [self._checked(*part) for part in self._parsed()]
        self.needs_date = any(part.field == "date" for part in self.parts)
        self.keeps_name = template.endswith("/{name}")
        self._check()

    def path_of(self, label: str, relpath: Path, name: str, taken: datetime) -> Path:
        """Return the photo's path below the output.

        Args:
            label: its class.
            relpath: its folder below the inbox.
            name: its file name.
            taken: when it was taken; used only if `needs_date`.
        """
        values = {
            "": "",
            "label": self.names.get(label, label),
            "relpath": "" if relpath == Path() else str(relpath),
            "name": name,
        }
        text = ""
        for part in self.parts:
            text += part.before + (taken.strftime(part.form) if part.field == "date" else values[part.field])
        return Path(*(component for component in text.split("/") if component))

    def is_default(self) -> bool:
        """Tell whether this is the default template."""
        return self._template == DEFAULT_LAYOUT

    def _parsed(self) -> list[tuple[str, str | None, str | None, str | None]]:
        try:
            return list(Formatter().parse(self._template))
        except ValueError as error:
            raise self._refused(f"its braces do not match ({error})") from error

    def _checked(self, before: str, field: str | None, form: str | None, conversion: str | None) -> Part:
        if field is None:
            return Part(before, "", "")
        if field not in FIELDS:
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise self._refused(f"{{{field}}} is not a field; the fields are {known}")
        if conversion or (form and field != "date"):
            raise self._refused(f"{{{field}}} takes no format")
        if field == "date" and not _DATE_FORMAT.fullmatch(form or ""):
            raise self._refused(f"{form!r} is not a date format; an example is %Y/%m/%d")
        return Part(before, field, form or "%Y-%m-%d")

    def _check(self) -> None:
        fields = [part.field for part in self.parts]
        if fields.count("name") != 1 or fields[-1] != "name":
            raise self._refused("it must end with {name}, which stands for the photo's file name with its extension")
        if self._template.startswith("/"):
            raise self._refused("it must not be absolute: photos go below the output")
        for component in str(self.path_of("x", Path("x"), "x", _EXAMPLE)).split("/"):
            if component.startswith((".", "~")) or len(component.encode()) > 255:
                raise self._refused(f"{printable(component)!r} cannot name a folder of photos")

    def _refused(self, why: str) -> LayoutError:
        return LayoutError(
            f"{self._option} {printable(self._template)!r} cannot be used: {why}. The default: {DEFAULT_LAYOUT}"
        )


def check_layout(layout: Layout, inbox: Path, output: Path) -> None:
    """Refuse any layout but the default for an inbox inside the output: filed photos might land in the inbox."""
    if layout.is_default() or not inbox.is_relative_to(output):
        return
    raise LayoutError(
        f"The inbox {printable(inbox)} lies in the output {printable(output)}, so --layout could file photos into the "
        "inbox. Pass an inbox outside the output, or leave out --layout."
    )


@dataclass(frozen=True, slots=True)
class FilingOptions:
    """How photos are filed.

    Attributes:
        mode: move, copy or link.
        layout: template of the path below the output.
        set_aside: whether a photo goes to `_duplicates` if a photo of equal content is filed.
        review_notes: whether a photo in review gets a note, as a failed one does.
    """

    mode: Mode = Mode.MOVE
    layout: Layout = field(default_factory=Layout)
    set_aside: bool = False
    review_notes: bool = False


def filing_options(settings: Settings) -> FilingOptions:
    """Return how photos are filed under these settings."""
    set_aside = settings.duplicates == "set-aside"
    return FilingOptions(Mode(settings.mode), Layout(settings.layout), set_aside, settings.review_notes)

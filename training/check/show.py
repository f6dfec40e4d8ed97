"""Print a check on the terminal: counts first, then the worst of each kind."""

from rich.table import Table
from rich.text import Text

from training.check.kinds import KIND_TEXTS, SHOWN_PHOTOS
from training.check.report import Report
from training.progress import Reporter

SHOWN = 5  # listed findings of a kind; the rest is counted
CLASSES = 20


def show(report: Report, reporter: Reporter) -> None:
    """Print classes, counts, the worst findings of each kind, and a summary."""
    reporter.console.print(_classes(report))
    reporter.console.print(_counts(report))
    for kind, count in report.counts().items():
        if not count:
            continue
        reporter.say("")
        reporter.say(f"{KIND_TEXTS[kind].title} ({count:,}). {KIND_TEXTS[kind].advice}")
        for finding in report.of(kind)[:SHOWN]:
            names = report.names(finding)
            more = f" and {len(names) - SHOWN_PHOTOS:,} more" if len(names) > SHOWN_PHOTOS else ""
            listed = f"{', '.join(names[:SHOWN_PHOTOS])}{more}: " if names else ""
            reporter.say(f"  {listed}{finding.detail}")
        if count > SHOWN:
            reporter.say(f"  and {count - SHOWN:,} more")
    reporter.say("")
    reporter.say(report.sentence())


def _classes(report: Report) -> Table:
    rows = list(report.classes())
    columns = list(rows[0][1])
    table = Table("class", *columns)
    for column in table.columns[1:]:
        column.justify = "right"
    for label, counts in rows[:CLASSES]:
        table.add_row(Text(label), *(f"{counts[name]:,}" for name in columns))
    if len(rows) > CLASSES:
        table.add_row(f"and {len(rows) - CLASSES:,} more", *("" for _ in columns))
    return table


def _counts(report: Report) -> Table:
    table = Table("checked for", "found", "")
    table.columns[1].justify = "right"
    for kind, count in report.counts().items():
        verdict = "" if not count else "fix" if KIND_TEXTS[kind].fault else "check"
        table.add_row(KIND_TEXTS[kind].title, f"{count:,}", Text(verdict, style="bold red" if verdict == "fix" else ""))
    return table

"""A check from start to end: find and scan the photos, compare them, judge labels, write the report, quarantine."""

from dataclasses import dataclass
from pathlib import Path

from common.publish import publish_bytes
from training.check.findings import find_problems
from training.check.kinds import Kind
from training.check.quarantine import MovedFile, check_quarantine, quarantine
from training.check.report import Report, to_json
from training.check.scan import scan_photos
from training.dataset.layout import find_dataset
from training.errors import TrainingError
from training.output import check_output
from training.progress import Reporter
from training.run import load_run

FINDINGS, PAGE = "findings.json", "check.html"


@dataclass(frozen=True)
class DataCheckResult:
    """Result of a check: the report, and the files moved to the quarantine."""

    report: Report
    moved: tuple[MovedFile, ...]


def check_dataset(
    root: Path, reporter: Reporter, run: Path | None = None, output: Path | None = None, aside: Path | None = None
) -> DataCheckResult:
    """Find problems of a dataset.

    Args:
        root: folders of labelled photos.
        run: a finished run on these photos; needed to find wrong labels.
        output: a new or empty folder for findings.json and check.html.
        aside: quarantine folder for broken files.

    Raises:
        PhototriageError: the dataset, the run or one of the folders cannot be used. Bad photos are not errors.
    """
    if output is not None:
        check_output(output, root)
    if aside is not None:
        check_quarantine(aside, root)
    trained = load_run(run) if run is not None else None
    dataset = find_dataset(root)
    reporter.say(dataset.sentence())
    paths = [photo.path for photo in dataset.photos]
    with reporter.work("Scanning", len(paths)) as tick, scan_photos(paths, tick) as scan:
        findings, groups = find_problems(dataset, scan)
    if trained is not None:
        from training.check.labels import find_suspect_labels

        findings += find_suspect_labels(dataset, groups, trained, reporter)
    kinds = tuple(Kind)
    checked = tuple(kind for kind in kinds if trained is not None or kind is not Kind.SUSPECT)
    report = Report(dataset, tuple(sorted(findings, key=lambda item: kinds.index(item.kind))), checked)
    if output is not None:
        _write(report, output)
    moved = quarantine(report, scan.digests, aside) if aside is not None else []
    return DataCheckResult(report, tuple(moved))


def _write(report: Report, output: Path) -> None:
    from training.check.page import page

    try:
        output.mkdir(parents=True, exist_ok=True)
        publish_bytes(output / FINDINGS, to_json(report.to_dict(), indent=1).encode() + b"\n")
        publish_bytes(output / PAGE, page(report).encode())
    except OSError as error:
        raise TrainingError(
            f"The findings cannot be written to {output} ({error.strerror}). Free space, or pass another folder."
        ) from error

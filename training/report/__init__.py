"""Reports: a run or an evaluation as one self-contained page, and its main figures as PNG."""

from training.report.about import About, about_model
from training.report.adapters import report_of_evaluation, report_of_run
from training.report.content import NextStep, ReportFinding, ReportInput
from training.report.write import write_report

__all__ = [
    "About",
    "NextStep",
    "ReportFinding",
    "ReportInput",
    "about_model",
    "report_of_evaluation",
    "report_of_run",
    "write_report",
]

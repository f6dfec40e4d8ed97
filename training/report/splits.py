"""Metrics of training, validation and test photos side by side."""

from common.html import Html, h, scrolling
from common.page import note
from training.report.content import ReportInput, percent

COLUMNS = ("photos", "number", "accuracy", "95 % interval", "precision", "recall", "F1", "AUC", "log loss",
           "calibration error")  # fmt: skip


def split_table(given: ReportInput) -> Html | None:
    """Metrics of each set, precision to AUC as means over classes; None if there is only one set."""
    if len(given.parts) < 2:
        return None
    head = h(
        "tr", [h("th", name, scope="col", class_="number" if number else "") for number, name in enumerate(COLUMNS)]
    )
    rows = []
    for part in given.parts:
        found = part.scores.metrics
        area = "\N{EN DASH}" if found.macro_auc is None else f"{found.macro_auc:.4f}"
        texts = [f"{found.photos:,}", percent(found.accuracy), " to ".join(map(percent, found.interval))]
        texts += [f"{value:.3f}" for value in (found.macro_precision, found.macro_recall, found.macro_f1)]
        texts += [area, f"{found.log_loss:.3f}", f"{found.calibration_error:.3f}"]
        cells = [h("td", text, class_="number") for text in texts]
        rows.append(h("tr", h("th", part.words, scope="row"), cells))
    table = h("table", h("thead", head), h("tbody", rows), class_="figures")
    words = note("Precision, recall, F1 and AUC are means over the classes, each counting alike.")
    return h("div", h("h3", "All measured photos"), words, scrolling(table, "Figures of each set of photos"))

"""Opens a model for an inbox and an output, and refuses one that may not file from the one into the other."""

from pathlib import Path

from contract.session import Model, open_model
from daemon.filing.layout import Layout, check_layout
from daemon.photo import DUPLICATES_FOLDER, FAILED_FOLDER, REVIEW_FOLDER
from daemon.roots import check_folders
from daemon.settings import Settings


def fit_model(settings: Settings, inbox: Path, output: Path, source: Path | bytes) -> Model:
    """Open a model that may file from this inbox into this output.

    Args:
        settings: its device, GPU memory and layout.
        inbox: from `check_roots`.
        output: from `check_roots`.
        source: the model's file, or its bytes.

    Raises:
        PhototriageError: the model cannot be used, or not for these folders; the text says why.
    """
    model = open_model(source, settings.device, gpu_memory_mb=settings.gpu_memory)
    check_folders(inbox, output, (*model.contract.labels, FAILED_FOLDER, REVIEW_FOLDER, DUPLICATES_FOLDER))
    check_layout(Layout(settings.layout), inbox, output)
    return model

"""What every worker of a run needs to know, whatever engine it belongs to."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulk.errors import BulkError
from bulk.judge.policy import Policy
from common.text import printable

if TYPE_CHECKING:
    from contract.session import Device


@dataclass(frozen=True, slots=True)
class Job:
    """One call of `phototriage bulk run`.

    Attributes:
        plan: a folder.
        identity: of the plan; results of another plan do not mix with these.
        results: a folder or a URL.
        model: the model file.
        sha256: of that file.
        policy: the user's rules.
        device: `auto`, `cpu` or `cuda`.
    """

    plan: Path
    identity: str
    results: str
    model: Path
    sha256: str
    policy: Policy
    device: "Device" = "auto"

    def to_json(self) -> str:
        """Return the job as text."""
        return json.dumps(asdict(self) | {"model": str(self.model), "plan": str(self.plan)})

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """Return the job that `to_json` wrote."""
        said = json.loads(text)
        return cls(
            **said | {"plan": Path(said["plan"]), "model": Path(said["model"]), "policy": Policy(**said["policy"])}
        )

    def facts(self) -> dict[str, Any]:
        """Return what results must have in common."""
        return {"plan": self.identity, "model": self.sha256, "rules": self.policy.facts()}


def hash_of_model(file: Path) -> str:
    """Return the SHA-256 of a model file.

    Raises:
        BulkError: it cannot be read.
    """
    try:
        with file.open("rb") as data:
            return hashlib.file_digest(data, "sha256").hexdigest()
    except OSError as error:
        raise BulkError(f"The model {printable(file)} cannot be read: {error.strerror}. Pass an .onnx file.") from error

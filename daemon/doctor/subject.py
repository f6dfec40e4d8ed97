"""What the doctor checks: an inbox with its output, model, service and ledger."""

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import PhototriageError
from contract.shipped import SHIPPED_MODEL
from daemon.doctor.boxed import MODEL_S, BoxedCheck, path_as_bytes
from daemon.doctor.finding import quoted
from daemon.doctor.unit import Unit
from daemon.ledger.state_folder import LEDGER, state_folder


class DoctorError(PhototriageError):
    """The configuration to check cannot be read."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One inbox and what belongs to it.

    Attributes:
        mode: how photos are filed.
        device: `auto`, `cpu` or `cuda`.
        unit: the service, if one was named.
        ledger: its path; it may not exist yet.
    """

    inbox: Path
    output: Path
    mode: str = "move"
    model: Path = SHIPPED_MODEL
    device: str = "auto"
    unit: Unit | None = None
    ledger: Path | None = None

    def looks(self) -> Iterator[BoxedCheck]:
        """Yield the looks that run in processes of their own."""
        folders: dict[str, Any] = {
            "what": "folders",
            "inbox": path_as_bytes(self.inbox),
            "output": path_as_bytes(self.output),
            "mode": self.mode,
        }
        user = self.user()
        if (
            self.unit and user and self.unit.facts.get("PrivateUsers") == "yes"
        ):  # with PrivateUsers, the service sees all other users as one
            folders["trusted"] = [0, user[0]]
        # BindPaths give the service a folder in a home that is closed to it, so only a look in the sandbox is valid.
        outside = None if self.unit and self.unit.facts.get("BindPaths") else user
        yield BoxedCheck(
            "folders",
            folders | {"user": outside},
            cure=f"findmnt -T {quoted(self.inbox)}; findmnt -T {quoted(self.output)}",
        )
        if self.unit and self.unit.process and os.geteuid() == 0 and shutil.which("nsenter"):
            enter = ("nsenter", f"--target={self.unit.process}", "--mount", "--wd=/", "--")
            yield BoxedCheck("in the sandbox", folders | {"user": user}, inside=enter)
        if self.ledger is not None:
            yield BoxedCheck("ledger", {"what": "ledger", "ledger": path_as_bytes(self.ledger)})

    def model_look(self) -> BoxedCheck:
        """Return the look at the model."""
        request = {"what": "model", "model": path_as_bytes(self.model.absolute()), "device": self.device}
        return BoxedCheck("model", request, limit_s=MODEL_S, cure=f"phototriage inspect {quoted(self.model)}")

    def user(self) -> tuple[int, int, list[int]] | None:
        """Return the ids of the service's user if root can look as that user; None to look as the present user."""
        if self.unit is None or not self.unit.facts or os.geteuid() != 0:
            return None
        with suppress(KeyError):
            entry = pwd.getpwnam(self.unit.user)
            return entry.pw_uid, entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid)
        return None


def from_folders(inbox: Path, output: Path) -> Subject:
    """Return the subject of two folders."""
    inbox, output = inbox.absolute(), output.absolute()
    return Subject(inbox, output, ledger=state_folder(inbox) / LEDGER)

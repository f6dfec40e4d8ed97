"""What the doctor is to look at: the inbox that is named, or every one that a ledger knows."""

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.errors import PhototriageError
from contract.shipped import SHIPPED_MODEL
from daemon.doctor.boxed import MODEL_S, Look, path_in_wish
from daemon.doctor.finding import word
from daemon.doctor.unit import Unit
from daemon.ledger.state_folder import LEDGER, state_folder


class DoctorError(PhototriageError):
    """It cannot be found out what to look at."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One inbox with what belongs to it.

    Attributes:
        unit: the service, if one was named.
        ledger: where it lies, or would.
    """

    inbox: Path
    output: Path
    mode: str = "move"
    model: Path = SHIPPED_MODEL
    device: str = "auto"
    unit: Unit | None = None
    ledger: Path | None = None

    def looks(self) -> Iterator[Look]:
        """Yield what is to be looked at in processes of their own."""
        folders: dict[str, Any] = {
            "what": "folders",
            "inbox": path_in_wish(self.inbox),
            "output": path_in_wish(self.output),
            "mode": self.mode,
        }
        user = self.user()
        if self.unit and user and self.unit.facts.get("PrivateUsers") == "yes":  # it cannot tell the others apart
            folders["trusted"] = [0, user[0]]
        # Into a home that is closed to it, the service is led by its sandbox alone.
        outside = None if self.unit and self.unit.facts.get("BindPaths") else user
        yield Look(
            "folders",
            folders | {"user": outside},
            cure=f"findmnt -T {word(self.inbox)}; findmnt -T {word(self.output)}",
        )
        if self.unit and self.unit.process and os.geteuid() == 0 and shutil.which("nsenter"):
            enter = ("nsenter", f"--target={self.unit.process}", "--mount", "--wd=/", "--")
            yield Look("in the sandbox", folders | {"user": user}, inside=enter)
        if self.ledger is not None:
            yield Look("ledger", {"what": "ledger", "ledger": path_in_wish(self.ledger)})

    def model_look(self) -> Look:
        """Return how the model is looked at."""
        wish = {"what": "model", "model": path_in_wish(self.model.absolute()), "device": self.device}
        return Look("model", wish, limit_s=MODEL_S, cure=f"phototriage inspect {word(self.model)}")

    def user(self) -> tuple[int, int, list[int]] | None:
        """Return ids of the service's user, for root to look as that one; None to look as oneself."""
        if self.unit is None or not self.unit.facts or os.geteuid() != 0:
            return None
        with suppress(KeyError):
            entry = pwd.getpwnam(self.unit.user)
            return entry.pw_uid, entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid)
        return None


def from_folders(inbox: Path, output: Path) -> Subject:
    """Return the subject that is named by its folders."""
    inbox, output = inbox.absolute(), output.absolute()
    return Subject(inbox, output, ledger=state_folder(inbox) / LEDGER)

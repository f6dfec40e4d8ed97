"""Judges one part of a plan after the other with one model: the same code as in the daemon, and the same answers."""

import platform
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any

import pyarrow as pa

from bulk.errors import BulkError
from bulk.judge.policy import Policy
from bulk.judge.rows import row_of
from bulk.judge.sources import GONE, Source, check_root, is_far, source_of
from bulk.results.schema import RESULTS
from common.errors import ModelError, Reason
from contract.golden import replay
from contract.session import Device, open_model
from daemon.classify.loaded_model import LoadedModel, rules_of
from daemon.classify.unjudged import IN_A_ROW
from daemon.decode.guard import Guard
from daemon.decode.suspects import JOURNAL, CrashJournal
from daemon.photo import Found, Photo
from daemon.predict import predict
from daemon.process.cores import FAR_READERS

STEP = 64
"""After this many photos, who waits hears of them."""


class PartJudge:
    """A model that judges parts; its golden sample was replayed when it was opened.

    Args:
        source: path of the model file, or its bytes.
        sha256: that the file must have.
        policy: the user's rules.
        device: `auto`, `cpu` or `cuda`.
        threads: how many read photos; 1 where each core has a judge of its own. More read from storage far away.

    Raises:
        BulkError: the file has changed since `sha256` was taken.
        ModelError, ContractError, DeviceError: as from `open_model`.
    """

    def __init__(
        self, source: Path | bytes, sha256: str, policy: Policy, *, device: Device = "auto", threads: int = 1
    ) -> None:
        model = open_model(source, device)
        if model.sha256 != sha256:
            raise BulkError(
                f"The model file was replaced while photos were judged: it is {model.sha256[:12]} now and was"
                f" {sha256[:12]}. Put that one back, or name another folder for the results of the new one."
            )
        # A file of a plan does not grow: whoever listed it had waited for that. So what cannot be read fails at once.
        rules = rules_of(model, policy.review_below, unfamiliar=policy.unfamiliar, give_up_after_s=-inf)
        self.loaded = LoadedModel(model, rules)
        self._threads = threads
        self._unjudged = 0

    def about(self) -> dict[str, Any]:
        """Return what filing has to know about the model and its rules, and no row holds."""
        rules, geometry = self.loaded.rules, self.loaded.geometry
        return {
            "labels": rules.labels, "thresholds": dict(rules.thresholds), "familiarity_limit": rules.familiarity_limit,
            "embeddings": rules.embeddings, "geometry": asdict(geometry),
        }  # fmt: skip

    def judge(
        self,
        manifest: pa.Table,
        folder: Path,
        *,
        heard: Callable[[int], object] = lambda _: None,
        hung: Callable[[Path], None] | None = None,
    ) -> pa.Table:
        """Judge all photos of a part.

        Args:
            manifest: with the columns of the plan.
            folder: for temporary copies, and for the journal of what is in the decoder. If a photo ends this process,
                the next one that is given the same folder decodes that photo in a process of its own.
            heard: called with the number of photos judged so far.
            hung: called when a photo has been in the decoder for two minutes, from a thread of its own.

        Returns:
            The columns of `RESULTS`, in the order of the manifest.

        Raises:
            BulkError: no photo is there, because their disk is not mounted; StorageError for object storage.
            ModelError: the model gives no valid answers any more.
            GpuError: the GPU fails.
        """
        rows: list[dict[str, Any]] = []
        with closing(CrashJournal(folder / JOURNAL)) as notes, closing(Guard(notes)) as guard:
            if hung is not None:
                guard.watch(hung)
            for row in self._rows(manifest.to_pylist(), folder, guard):
                rows.append(row)
                if len(rows) % STEP == 0 or len(rows) == manifest.num_rows:
                    heard(len(rows))
        if rows and all(row["error"] == str(GONE.fault) for row in rows):
            check_root(rows[0])
        return pa.Table.from_pylist(rows, RESULTS)

    def _rows(self, cases: list[dict[str, Any]], folder: Path, guard: Guard) -> Iterator[dict[str, Any]]:
        sources: dict[int, Source] = {}
        host, rules = platform.node(), self.loaded.rules

        def found_of(numbered: tuple[int, dict[str, Any]]) -> Found | None:
            number, case = numbered
            sources[number] = source = source_of(case, folder)
            return source.found

        threads = max(self._threads, FAR_READERS if cases and is_far(cases[0]["path"]) else 1)
        judged = predict(enumerate(cases), found_of, self.loaded, guard, count=None, threads=threads)
        for (number, case), photo in judged:
            self._check(photo)
            with closing(sources.pop(number)) as source:
                yield row_of(case, photo, source, rules, host)

    def _check(self, photo: Photo | None) -> None:
        """Look at the model itself once many photos in a row have no valid answer."""
        if photo is None or photo.judgement.fault is None:
            self._unjudged = 0
        elif photo.judgement.fault.reason is Reason.UNJUDGED:
            self._unjudged += 1
        if self._unjudged == IN_A_ROW:
            model = self.loaded.model
            try:
                replay(model.answer, model.contract, model.provider)
            except ModelError as error:
                raise ModelError(f"The model gives no valid answers any more: {error}") from error

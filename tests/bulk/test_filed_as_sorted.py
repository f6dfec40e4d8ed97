"""What `bulk plan`, `run` and `file` do together is what `sort` does, and nearly the same photos are known, too."""

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pyarrow")

from bulk.filing.inbox import InboxPaths
from bulk.filing.judged import Judged
from bulk.filing.photos import Known, PhotoReader
from contract.fingerprint import fingerprint_of
from contract.geometry import Geometry
from daemon.decode.guard import Guard
from daemon.decode.suspects import CrashJournal
from daemon.intake.inbox_mounts import InboxMounts
from daemon.ledger.embeddings import EMBEDDINGS
from daemon.ledger.state_folder import LEDGER, state_folder
from daemon.photo import Embedding, Judgement, Outcome
from daemon.words.word import Word
from daemon.words.words import Words
from tests.bulk.judged import call, files_below, ledger_rows
from tests.bulk.plans import model
from tests.daemon.support import digest, encoded, run, unique, write

COLUMNS = (
    "source, state, label, probability, top, threshold, familiarity, nearest, familiarity_limit, review_reason, reason,"
    " sha256, model, provider, mode, part_of IS NULL, known_as, mover"
)


def _fill(inbox: Path) -> Path:
    (inbox / "far").mkdir(parents=True)
    for number, colour in enumerate(("red", "green", "blue", "grey", "rgb(150,145,0)")):
        write(inbox / f"{number}.jpg", unique(colour, number), mtime_s=1e9)
        write(inbox / f"far/{number}.jpg", unique(colour, 10 + number), mtime_s=1e9)
    write(inbox / "far/1.xmp", b"<x/>", mtime_s=1e9)
    write(inbox / "torn.jpg", unique("red", 1)[:300], mtime_s=1e9)
    return inbox


def test_photos_that_bulk_files_lie_and_are_recorded_as_if_sort_had_filed_them(tmp_path: Path) -> None:
    file, rules = model(tmp_path), ("--review-below", "auto")
    sorted_in, bulk_in = _fill(tmp_path / "sorted/inbox"), _fill(tmp_path / "bulk/inbox")
    outputs = tmp_path / "sorted/output", tmp_path / "bulk/output"
    words: list[str | Path] = ["--inbox", sorted_in, "--output", outputs[0], "--model", file, "--give-up-after", "0"]
    done = run("sort", *words, "--recursive", *rules)
    assert done.returncode == 0, done.stderr
    for step in (
        ("plan", bulk_in, "--output", tmp_path / "plan"),
        ("run", tmp_path / "plan", "--output", tmp_path / "results", "--model", file, "--workers", "1", *rules),
        ("file", tmp_path / "results", "--inbox", bulk_in, "--output", outputs[1]),
    ):
        did = call("bulk", *step)
        assert did.exit_code == 0, did.output
    assert files_below(outputs[1]) == files_below(outputs[0])
    assert len(files_below(outputs[1])) == 13  # with a note
    told = []
    for inbox in (sorted_in, bulk_in):
        rows = ledger_rows(state_folder(inbox) / LEDGER, COLUMNS)
        told.append(sorted((os.fsdecode(source).removeprefix(str(inbox)), *rest) for source, *rest in rows))
    assert told[1] == told[0]
    kept = [(state_folder(inbox) / EMBEDDINGS).stat().st_size for inbox in (sorted_in, bulk_in)]
    assert kept[1] == kept[0]


def test_nearly_the_same_photo_is_known_and_no_other_is_decoded_for_that(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    patches = np.random.default_rng(1).integers(0, 256, (7, 7, 3), np.uint8)
    picture = Image.fromarray(patches).resize((96, 96), Image.Resampling.BICUBIC)
    write(inbox / "IMG_1.jpg", encoded(picture, quality=70))
    write(inbox / "IMG_2.jpg", encoded(picture, quality=60))
    shown = np.asarray(picture.resize((32, 32), Image.Resampling.BOX))
    here, there = (Embedding("broad-1", np.array(values, "<f2").tobytes()) for values in ((1, 0), (0, 1)))
    said = Word("street", digest(b"first"), fingerprint_of(shown), here, datetime(2026, 5, 1, tzinfo=UTC), "IMG_1.jpg")
    rows = []
    for name, embedding in (("IMG_2.jpg", there), ("IMG_1.jpg", here)):
        judgement = Judgement(Outcome.REVIEW, "_review", "unsure", "sea", 0.5, top={"sea": 0.5}, embedding=embedding)
        data = (inbox / name).read_bytes()
        rows.append(Judged(str(inbox / name), "", len(data), digest(data), judgement, {}))
    paths, known = InboxPaths(inbox, inbox, tmp_path / "output"), Known(lambda *_: False, lambda _: [])
    with closing(CrashJournal(tmp_path / "journal")) as journal, closing(Guard(journal)) as guard:
        reader = PhotoReader(
            paths, inbox, InboxMounts(inbox), known, Words([said]), guard,
            geometry=Geometry(size_px=32), dated=False, threads=1,
        )  # fmt: skip
        (far,) = next(reader.batches(rows[:1])).photos
        assert (far.judgement.folder, guard.decoded) == ("_review", False)
        (near,) = next(reader.batches(rows[1:])).photos
    assert (near.judgement.folder, near.judgement.said, guard.decoded) == ("street", "street", True)
    assert near.read.pixels is None

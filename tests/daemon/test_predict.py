"""Photos are classified without being filed: each beside what led to it, without a trace in the daemon's journal."""

import os
import pickle
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from contract.session import open_model
from daemon.classify.buckets import BUCKETS
from daemon.classify.loaded_model import LoadedModel, rules_of
from daemon.decode import decode as decode_module
from daemon.decode.suspects import JOURNAL, CrashJournal
from daemon.photo import Found, Read
from daemon.predict import predict, trial_guard
from tests.daemon.support import identity_of, model_file, plain, write


def found_of(path: Path) -> Found | None:
    return Found(path, identity_of(path)) if path.exists() else None


def loaded(folder: Path) -> LoadedModel:
    model = open_model(model_file(folder), "cpu")
    return LoadedModel(model, rules_of(model, "off"))


def test_each_photo_comes_beside_what_led_to_it_and_in_the_same_order(tmp_path: Path) -> None:
    found = [tmp_path / f"{number:03}.jpg" for number in range(70)]  # more than a batch
    for number, path in enumerate(found):
        if number % 7:
            write(path, plain(("red", "green", "blue")[number % 3]) if number % 5 else b"no photo")
    with trial_guard(tmp_path / "no state") as guard:
        results = list(predict(found, found_of, loaded(tmp_path), guard, count=len(found), threads=3))
    assert [path for path, _ in results] == found
    for number, (path, photo) in enumerate(results):
        assert (photo is None) == (number % 7 == 0)
        if photo is not None:
            assert photo.path == path
            assert (photo.judgement.fault is None) == (number % 5 > 0)
            assert photo.judgement.folder == (("red", "green", "blue")[number % 3] if number % 5 else "_failed")
            assert photo.read.pixels is None
            assert repr(pickle.loads(pickle.dumps(photo))) == repr(photo)  # as for another process


def test_a_suspect_of_the_daemons_is_decoded_alone_and_its_journal_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.jpg", plain("red"))
    with closing(CrashJournal(tmp_path / JOURNAL)) as journal:
        journal.begin(path, here=True)  # and the process ended
    before = (tmp_path / JOURNAL).read_bytes()
    alone: list[str] = []

    def decode_alone(found: Found, *rest: Any, **named: Any) -> Read:
        alone.append(os.fspath(found.path))
        return real(found, *rest, **named)

    real = decode_module.decode_alone
    monkeypatch.setattr(decode_module, "decode_alone", decode_alone)
    with trial_guard(tmp_path) as guard:
        ((_, photo),) = predict([path], found_of, loaded(tmp_path), guard, count=1)
    assert photo is not None
    assert photo.judgement.label == "red"
    assert alone == [str(path)]
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_of_a_million_cases_only_one_batch_is_taken_at_a_time(tmp_path: Path) -> None:
    taken = []

    def cases() -> Iterator[Path]:
        for number in range(1_000_000):
            taken.append(number)
            yield tmp_path / f"{number}.jpg"

    with trial_guard(tmp_path / "no state") as guard:
        results = predict(cases(), found_of, loaded(tmp_path), guard, count=1_000_000)
        for _ in range(BUCKETS[-1] + 1):
            next(results)
        results.close()  # type: ignore[attr-defined]
    assert len(taken) == 2 * BUCKETS[-1]

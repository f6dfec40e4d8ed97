"""A model that crashes or hangs onnxruntime does so in a process of its own; the daemon hears of it and works on."""

import signal
from pathlib import Path

import pytest

from common.errors import ModelError
from daemon.models.trial import try_apart
from tests.daemon.support import ROOT, daemon, model_file, plain, roots, write
from tests.daemon.swap import NEW, OLD, replace_model

DEADLY = """
import os, signal, sys, time
if "daemon.models.trial" in sys.orig_argv:
    {what}
"""
"""What a model would have to make onnxruntime do, done by hand: what is known to is refused before it is opened."""


def test_a_model_that_lives_is_passed_whether_it_keeps_its_contract_or_not(tmp_path: Path) -> None:
    try_apart(write(tmp_path / "good.onnx", NEW))
    try_apart(write(tmp_path / "bad.onnx", NEW[:-9]))


def test_a_model_that_does_not_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "sitecustomize.py", DEADLY.format(what="time.sleep(60)").encode())
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModelError, match=r"slow\.onnx did not end within 1 s"):
        try_apart(write(tmp_path / "slow.onnx", NEW), 1.0)


def test_a_model_that_ends_the_process_is_refused_while_the_old_one_works_on(tmp_path: Path) -> None:
    inbox, output = roots(tmp_path)
    model = model_file(tmp_path)
    (tmp_path / "site").mkdir()
    write(tmp_path / "site" / "sitecustomize.py", DEADLY.format(what="os.kill(os.getpid(), signal.SIGSEGV)").encode())
    env = {"PYTHONPATH": f"{tmp_path / 'site'}:{ROOT}"}
    with daemon("--inbox", inbox, "--output", output, "--model", model, env=env) as process:
        process.ready()
        replace_model(model, NEW)
        process.process.send_signal(signal.SIGHUP)
        told = process.until(lambda event: event["event"] == "model", "the refusal")
        assert (told["what"], "SIGSEGV" in told["reason"]) == ("refused", True), told
        replace_model(model, OLD)
        write(tmp_path / "part", plain("red")).rename(inbox / "1.jpg")
        assert process.photos({"1.jpg"})["1.jpg"]["label"] == "red"
        assert process.stop() == 0

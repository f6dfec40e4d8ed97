"""`phototriage bulk run` as a process, and the rows that it must give."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa

from bulk.results.schema import OF_THE_RUN
from bulk.results.store import ResultStore
from tests.bulk.plans import judge_of, model
from tests.daemon.support import DEADLINE_S, command, environment

DEADLY = """
import os, signal
from PIL import Image, ImageFile, PpmImagePlugin

class Killer(ImageFile.PyDecoder):
    _pulls_fd = True

    def decode(self, buffer):
        os.kill(os.getpid(), signal.SIGKILL)

Image.register_decoder("ppm_plain", Killer)
"""
"""A `sitecustomize` module: plain PPM pictures kill the process that decodes them."""


class Run:
    """`phototriage bulk run --json` as a process; its lines are read as they come."""

    def __init__(self, *words: str | Path, **env: str) -> None:
        self.process = subprocess.Popen(
            command("bulk", "run", *words, "--json"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**env),
        )  # fmt: skip

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def end(self) -> tuple[list[dict[str, Any]], str]:
        out, err = self.process.communicate(timeout=DEADLINE_S)
        return [json.loads(line) for line in out.splitlines()], err


def rows(results: Path) -> pa.Table:
    store = ResultStore(results)
    return pa.concat_tables(store.read(name) for name in sorted(store.done()))


def expected(folder: Path, of: Path) -> pa.Table:
    """Return what one judge gives in this process, without what tells of the run."""
    from bulk.manifest.parts import open_plan

    judge, opened = judge_of(model(folder)), open_plan(of)
    return pa.concat_tables(judge.judge(opened.read(name), folder) for name in opened.parts()).drop(OF_THE_RUN)

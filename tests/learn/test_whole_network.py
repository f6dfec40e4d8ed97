"""Where heads no longer help, learning says so, and names the command that lets the whole network learn."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from contract.labels import Side
from contract.shipped import SHIPPED_MODEL
from learn.fitting.gate import REFUSED, Verdict
from learn.fitting.layer import Floats, Layer
from learn.fitting.lessons import Said
from learn.fitting.trial import World, try_head
from learn.fresh import learn_fresh
from learn.label_file import Label, read_labels
from learn.whole_network import advice, reasons
from tests.learn.conftest import line

WIDTH = 8
PROGRAM = (sys.executable, "-m", "phototriage")
OF_100 = {"photos": {"train": 90, "val": 10, "test": 5_000}}


def _rows(count: int, seed: int, towards: int) -> Floats:
    rows = np.abs(np.random.default_rng(seed).normal(0, 0.2, (count, WIDTH))).astype(np.float32)
    rows[:, towards] += 1
    normed: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normed


def _world(taught: int, held_out: int, looks_like: int = 1, groups: int = 1_000) -> World:
    """Labels of class b. Those that are held out look as photos of class a do, or of b."""
    kernel = np.zeros((WIDTH, 2), np.float32)
    kernel[0, 0] = kernel[1, 1] = 8
    root = Layer(kernel, np.zeros(2, np.float32))
    rows = np.concatenate([_rows(taught, 1, 1), _rows(held_out, 2, looks_like)])
    labels = [
        Label(f"{n:064x}", "b", None, f"{n % groups:064x}", n >= taught, False, "a") for n in range(taught + held_out)
    ]
    said = Said(labels, {one.sha256: row for one, row in zip(labels, rows, strict=True)}, ("a", "b"), (), {})
    anchors = np.concatenate([_rows(50, 3, 0), _rows(50, 4, 1)])
    return World(root, root, said, anchors, anchors, np.repeat([0, 1], 50), _rows(0, 5, 0), known=2)


def _reasons(world: World, data: dict[str, Any]) -> list[str]:
    return list(reasons(data, world, try_head(world, None)))


def test_labels_that_are_a_fifth_of_the_photos_that_the_network_learnt_from_are_said() -> None:
    assert _reasons(_world(19, 0), OF_100) == []
    assert _reasons(_world(15, 5), OF_100) == ["20 labels are new to the network, which learnt from 100 photos"]
    assert _reasons(_world(20, 0), {**OF_100, "labels": {"photos": 1}}) == []
    assert _reasons(_world(20, 0), {}) == []


def test_a_class_of_whose_held_out_photos_the_head_misses_many_is_said() -> None:
    told = ["a new last layer finds 0 of the 12 held-out photos of b"]
    assert _reasons(_world(5, 12, looks_like=0), {}) == told
    assert _reasons(_world(5, 12, looks_like=0, groups=9), {}) == []
    assert _reasons(_world(5, 12, looks_like=1), {}) == []


def test_labels_that_do_harm_are_no_reason() -> None:
    world = _world(20, 12, looks_like=0)
    judged = replace(try_head(world, None), verdict=Verdict(REFUSED, "validation"))
    assert list(reasons(OF_100, world, judged)) == []


def test_the_command_is_named_with_the_labels_that_were_learnt(draw: Callable[..., Path], tmp_path: Path) -> None:
    old, new = tmp_path / "old.jsonl", tmp_path / "labels of today.jsonl"
    for file, seeds in ((old, range(4)), (new, range(4, 6))):
        said = [line(draw(kind, seed), kind, side=Side.LEARN) for kind in ("street", "sea") for seed in seeds]
        file.write_text("".join(f"{one}\n" for one in said))
    made = learn_fresh(SHIPPED_MODEL, read_labels(old), lambda _, __: None, cache=tmp_path / "cache")
    (tmp_path / "mine.onnx").write_bytes(made.data)
    job = ("learn", "--labels", new, "--base", tmp_path / "mine.onnx", "--dry-run")
    done = subprocess.run([*PROGRAM, *job], capture_output=True, text=True, check=True)
    assert "4 labels are new to the network, which learnt from 8 photos. Try: phototriage train" in done.stdout
    assert f"train DATASET --labels '{new}' --output run" in done.stdout
    assert next(advice(["why"], ["--from-inbox", "photos"])).endswith("train DATASET --from-inbox photos --output run")
    assert list(advice(["why"], [])) == list(advice([], ["--from-inbox"])) == []

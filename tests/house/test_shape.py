"""The code keeps the shape that makes it readable: short files and functions, small folders, and docstrings."""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOMS = ("common", "contract", "training", "convert", "learn", "daemon", "bulk", "collect")
FILE_LINES_MAX = 250
FUNCTION_LINES_MAX = 60
MODULES_MAX = 20
# Files that may catch everything and go on. Where a photo is decoded, what goes wrong is raised again as its reason.
BROAD_EXCEPT = {
    "daemon/process/parallel.py": "a helping thread's boundary: the thread that asked for help raises it",
    "daemon/stage.py": "a thread's boundary: whatever ends a stage is handed on, to end the process",
    "daemon/models/reload.py": "a new model's boundary: whatever is wrong with it, the one in use is kept",
    "daemon/status/status_thread.py": "a failed request must not stop the watchdog feed",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(root: Path) -> Iterator[tuple[str, str]]:
    paths = [root / "phototriage.py"]
    for room in ROOMS:
        paths += sorted((root / room).rglob("*.py"))
    for path in paths:
        yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def functions(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def lacks_words(node: Function) -> bool:
    return not node.name.startswith("_") and length(node) > 5 and not ast.get_docstring(node)


def swallows_everything(node: ast.AST) -> bool:
    """Whether an `except` takes whatever comes and goes on; one that ends in `raise` cleans up or says it better."""
    if not isinstance(node, ast.ExceptHandler) or isinstance(node.body[-1], ast.Raise):
        return False
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(kind is None or getattr(kind, "id", "") in {"Exception", "BaseException"} for kind in kinds)


def notes(name: str, text: str) -> Iterator[str]:
    """Each place where one file leaves the shape, as a sentence."""
    tree = ast.parse(text)
    if text.count("\n") > FILE_LINES_MAX:
        yield f"{name}: {text.count(chr(10))} lines, over {FILE_LINES_MAX}"
    if text and not ast.get_docstring(tree):
        yield f"{name}: no module docstring"
    for function in functions(tree):
        if length(function) > FUNCTION_LINES_MAX:
            yield f"{name}:{function.lineno}: {function.name} is {length(function)} lines long"
        if lacks_words(function):
            yield f"{name}:{function.lineno}: public {function.name} has no docstring"
    if name not in BROAD_EXCEPT:
        for node in ast.walk(tree):
            if swallows_everything(node):
                yield f"{name}:{getattr(node, 'lineno', 0)}: swallows everything"


def test_the_rooms_keep_their_shape(root: Path) -> None:
    found = [note for name, text in sources(root) for note in notes(name, text)]
    assert not found, "\n" + "\n".join(found)


def crowded(names: Iterable[str]) -> dict[str, int]:
    """The folders that hold more modules than one can survey, each with its number of modules."""
    counts = Counter(PurePosixPath(name).parent.as_posix() for name in names)
    return {folder: count for folder, count in counts.items() if count > MODULES_MAX}


def test_no_folder_holds_more_modules_than_one_can_survey(root: Path) -> None:
    found = crowded(name for name, _ in sources(root))
    assert not found, f"give its modules rooms: {found}"


def test_a_crowded_folder_is_noticed_and_its_rooms_are_not_counted() -> None:
    names = [f"training/{number}.py" for number in range(MODULES_MAX)] + ["training/fit/0.py"]
    assert not crowded(names)
    assert crowded([*names, "training/one_more.py"]) == {"training": MODULES_MAX + 1}


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ('"""A."""\n' + "x = 1\n" * FILE_LINES_MAX, "251 lines"),
        ("x = 1\n", "no module docstring"),
        ('"""A."""\ndef f():\n    """B."""\n' + "    x = 1\n" * FUNCTION_LINES_MAX, "62 lines long"),
        ('"""A."""\ndef f():\n' + "    x = 1\n" * 5, "no docstring"),
        ('"""A."""\ntry:\n    x = 1\nexcept (ValueError, Exception):\n    pass\n', "swallows everything"),
    ],
)
def test_each_way_out_of_shape_is_noticed(text: str, note: str) -> None:
    assert note in " ".join(notes("a.py", text))


def test_a_tests_time_is_no_verdict(root: Path) -> None:
    """Minutes on a busy machine are no fault; only a hang ends a test, and CI's time bounds the sum."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert settings["timeout"] >= 1800
    mark = "pytest.mark." + "timeout"
    found = [path.name for path in (root / "tests").rglob("*.py") if mark in path.read_text(encoding="utf-8")]
    assert found == []

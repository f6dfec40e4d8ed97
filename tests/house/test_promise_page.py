"""docs/promise.md names the tests that hold the promise: each of them is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "promise.md"


def test_each_test_that_the_page_names_exists_and_each_file_of_proofs_is_named() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 15
    for file, name in named:
        text = (ROOT / "tests" / "daemon" / file).read_text(encoding="utf-8")
        assert f"def {name}(" in text, f"{file}::{name} is not there"

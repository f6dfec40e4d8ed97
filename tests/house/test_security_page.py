"""docs/security.md names tests and limits: the tests are there, and the limits are those of the code."""

import re
from pathlib import Path

from common import strict_json
from contract import formats, geometry, limits, metadata, session
from daemon.decode import budget, guard
from daemon.decode import isolated as alone
from daemon.decode import isolated_child as child
from daemon.intake import intake

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_each_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", PAGE)
    assert len(named) > 20
    for file, name in named:
        texts = [path.read_text(encoding="utf-8") for room in ("contract", "daemon") for path in _tests(room, file)]
        assert any(not name or f"def {name}(" in text for text in texts), f"{file}::{name} is not there"


def _tests(room: str, file: str) -> list[Path]:
    return [*(ROOT / "tests" / room).glob(file)]


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    rows = {cells[1].strip(): cells[2].strip() for line in PAGE.splitlines() if len(cells := line.split("|")) == 5}
    told = " ".join(rows.values())
    for limit in (
        f"{geometry.MAX_FILE_BYTES >> 20} MiB",
        f"{geometry.MAX_FILE_BYTES >> 20} MiB, half of it in files of more than {budget.SMALL_BYTES >> 20} MiB",
        f"{geometry.MAX_HEADER_PIXELS:,}",
        f"{geometry.MAX_DECODED_PIXELS:,}",
        f"{guard.HERE_PIXELS:,}",
        f"{alone.MEMORY_BYTES >> 20:,} MiB, {child.CPU_S} s, {alone.WALL_S:.0f} s",
        f"{guard.HANG_S:.0f} s",
        f"{intake.MAX_WAITING:,}",
        f"{session.MAX_MODEL_BYTES >> 20:,} MiB",
        (
            f"{strict_json.MAX_JSON_BYTES >> 20} MiB of JSON, {strict_json.MAX_DEPTH} levels,"
            f" {metadata.MAX_CASES} golden cases"
        ),
        f"{limits.MODEL_MEMORY_BYTES >> 30} GiB, {limits.PROOF_S:.0f} s",
        ", ".join(formats.PILLOW_FORMATS),
    ):
        assert limit in told, limit

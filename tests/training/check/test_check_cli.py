"""`phototriage check-data` as a user meets it: what it prints, writes and returns."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from common.errors import PhototriageError
from tests.fax import fax
from training.check.show import SHOWN
from training.commands.check_data import check_data

SCRIPT = "<script>alert(1)<img src=x onerror=y>.jpg"  # no slash: a name may hold anything else
HIDDEN = "escape\x1b[31m and \udcff.jpg"


def picture(path: Path, seed: int, exif: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (9, 12, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((120, 90), Image.Resampling.BICUBIC).save(path, exif=exif, quality=90)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for number in range(10):
        picture(root / ("cat", "dog")[number % 2] / f"{number}.jpg", number)
    return root


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(check_data, [str(item) for item in arguments], catch_exceptions=True)


def test_a_clean_dataset_is_said_to_be_so(dataset: Path) -> None:
    result = run(dataset, "--strict")
    assert result.exit_code == 0
    assert "No problems found in 10 photos." in result.output


def test_what_decoders_print_themselves_is_not_shown(dataset: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (dataset / "cat" / "fax.tif").write_bytes(fax())
    assert run(dataset).exit_code == 0
    assert "Fax3" not in "".join(capfd.readouterr())


def test_findings_are_counted_first_and_the_list_is_capped(dataset: Path) -> None:
    for number in range(SHOWN + 3):
        (dataset / "cat" / f"bad-{number}.jpg").write_text("no photo")
    result = run(dataset)
    assert result.exit_code == 0
    assert result.output.index("checked for") < result.output.index("bad-0.jpg")
    assert result.output.count("bad-") == SHOWN
    assert "  and 3 more" in result.output
    assert "8 findings in 18 photos: 8 to fix before training, 0 to check." in result.output


def test_strict_fails_on_what_is_to_mend_and_not_on_hints(dataset: Path) -> None:
    picture(dataset / "cat" / "again.jpg", 0)
    assert run(dataset, "--strict").exit_code == 0
    (dataset / "cat" / "empty.jpg").touch()
    assert run(dataset, "--strict").exit_code == 1
    assert run(dataset).exit_code == 0


def test_json_holds_every_finding_and_names_files_exactly(dataset: Path) -> None:
    for number in range(SHOWN + 3):
        (dataset / "cat" / f"{number}-{HIDDEN}").write_text("no photo")
    result = run(dataset, "--json")
    value = json.loads(result.stdout)
    paths = [finding["photos"][0]["path"] for finding in value["findings"]]
    assert paths == [f"cat/{number}-{HIDDEN}" for number in range(SHOWN + 3)]
    assert value["counts"]["unreadable"] == value["faults"] == SHOWN + 3
    assert value["classes"][0] == {"label": "cat", "all": 5 + SHOWN + 3}
    assert value["findings"][0]["reason"] == "not-a-photo"
    assert result.stdout.isascii()


def test_control_characters_do_not_reach_the_terminal(dataset: Path) -> None:
    (dataset / "cat" / HIDDEN).write_text("no photo")
    output = run(dataset).output
    assert "\x1b" not in output
    assert r"escape\x1b[31m and \xff.jpg" in output


@pytest.fixture
def page(dataset: Path, tmp_path: Path) -> str:
    """The page about a dataset with hostile names, and photos that carry EXIF."""
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    for number in (0, 1):
        picture(dataset / ("cat", "dog")[number] / SCRIPT, 50, exif.tobytes())
        picture(dataset / ("cat", "dog")[number] / HIDDEN, 51)
    (dataset / "cat" / f"text-{SCRIPT}").write_text("no photo")
    assert run(dataset, "--output", tmp_path / "out").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["check.html", "findings.json"]
    return (tmp_path / "out" / "check.html").read_text(encoding="utf-8")


def test_names_are_escaped_in_the_page(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;img src=x" in page
    assert "\x1b" not in page


def test_the_page_loads_nothing_and_its_pictures_carry_no_exif(page: str, dataset: Path) -> None:
    import base64

    assert b"secret place" in (dataset / "cat" / SCRIPT).read_bytes()
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) >= 4
    for source in sources:
        assert source.startswith("data:image/jpeg;base64,")
        data = base64.b64decode(source.partition(",")[2])
        assert b"secret place" not in data
        assert b"Exif" not in data
    assert not re.search(r"https?:", page)


def test_the_page_shows_a_limited_number_of_findings(dataset: Path, tmp_path: Path) -> None:
    from training.check.page import FINDINGS

    for number in range(FINDINGS + 7):
        Image.new("RGB", (50, 50), (number, 0, 0)).save(dataset / "cat" / f"blank-{number}.png")
    run(dataset, "--output", tmp_path / "out")
    page = (tmp_path / "out" / "check.html").read_text(encoding="utf-8")
    assert page.count("<img ") == FINDINGS
    assert "7 more are in findings.json." in page
    value = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert value["counts"]["blank"] == FINDINGS + 7


def test_quarantine_says_what_was_moved_and_how_to_go_back(dataset: Path, tmp_path: Path) -> None:
    (dataset / "cat" / "text.jpg").write_text("no photo")
    output = run(dataset, "--quarantine", tmp_path / "aside").output.replace("\n", "")
    assert "1 broken files" not in output
    assert (
        f"1 broken file was moved to {tmp_path / 'aside'}. To put it back: sh {tmp_path / 'aside'}/go-back.sh" in output
    )


def bad_input(tmp_path: Path, dataset: Path) -> dict[str, tuple[list[Path | str], str]]:
    (tmp_path / "empty" / "cat").mkdir(parents=True)
    (tmp_path / "empty" / "dog").mkdir()
    (tmp_path / "file").touch()
    return {
        "missing": ([tmp_path / "nowhere"], "is not a folder"),
        "file": ([tmp_path / "file"], "is not a folder"),
        "no photos": ([tmp_path / "empty"], "no photos"),
        "no classes": ([tmp_path / "empty" / "cat"], "no class folders"),
        "output inside": ([dataset, "--output", dataset / "out"], "inside the dataset"),
        "dataset inside output": ([dataset, "--output", tmp_path], "not empty"),
        "output is a file": ([dataset, "--output", tmp_path / "file"], "is a file"),
        "no run": ([dataset, "--run", tmp_path / "empty"], "not a run folder"),
    }


CASES = [
    "missing",
    "file",
    "no photos",
    "no classes",
    "output inside",
    "dataset inside output",
    "output is a file",
    "no run",
]


@pytest.mark.parametrize("case", CASES)
def test_bad_input_ends_with_one_sentence(dataset: Path, tmp_path: Path, case: str) -> None:
    arguments, words = bad_input(tmp_path, dataset)[case]
    error = run(*arguments).exception
    assert isinstance(error, PhototriageError)
    assert words in str(error)

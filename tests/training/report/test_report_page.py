"""The report's page: complete, self-contained, safe with any name, and of a size that opens."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import cast
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from common.drawing import draw_scene
from common.page import style
from contract.pages.thumbnails import thumbnail
from tests.training.report.conftest import MakeRun
from tests.training.report.support import LABELS, TAKEN, TRUE, Page, probabilities
from training.dataset.layout import Photo
from training.measure.predictions import Predictions
from training.report import NextStep, ReportFinding, ReportInput, report_of_run, write_report
from training.report.page import page

EVIL = "<script>document.title='taken over'</script>"


@pytest.fixture
def given(photos: tuple[Photo, ...], tmp_path: Path) -> ReportInput:
    return ReportInput("mine", LABELS, Predictions(photos, probabilities(TAKEN, 3)), tmp_path / "photos")


def test_the_report_of_a_run_shows_its_figures_curves_data_card_and_next_commands(make_run: MakeRun) -> None:
    run = make_run()
    file = write_report(run.path, report_of_run(run))
    shown = Page(file.read_text(encoding="utf-8"))
    assert "Of 12 validation photos, 9 were put into the right class and 3 were not." in shown.text
    assert "75.0\N{NARROW NO-BREAK SPACE}%" in "".join(shown.words)
    for words in (
        "epoch 1, whose weights",
        "2 photos could not be read",
        "0.65",
        "fine_tune.unfreeze",
        "4 s (data 2 s",
    ):
        assert words in shown.text, words
    assert "phototriage convert mine --output model.onnx" in shown.text
    drawn = sorted(path.stem for path in (run.path / "figures").iterdir())
    assert drawn == ["accuracy", "confusion", "loss", "precision-recall", "reliability", "review"]


def test_every_chart_is_a_whole_svg_file_in_plain_colours_whatever_its_classes_are_called(
    given: ReportInput, tmp_path: Path
) -> None:
    history = [{"epoch": 0, "accuracy": 0.5, "loss": 1.0}, {"epoch": 1, "accuracy": 0.7, "loss": 0.5, "best": True}]
    odd = replace(given, labels=(EVIL, "\x1b[31m\0", "a" * 200), history=history)
    write_report(tmp_path / "report", odd)
    files = sorted((tmp_path / "report" / "figures").iterdir())
    assert [file.name for file in files if file.suffix != ".svg"] == []
    for file in files:
        drawn = ET.parse(file).getroot()
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
        assert {drawn.get(name) for name in ("width", "height", "font-family")}.isdisjoint({None, ""})
        assert drawn.find("{*}rect[@fill='#ffffff']") is not None
        assert "var(" not in file.read_text(encoding="utf-8")
        assert not re.search(r"url\(|@import|https?:(?!//www.w3.org/2000/svg)", file.read_text(encoding="utf-8"))
        assert not drawn.findall(".//{*}script")
    words = list(ET.parse(tmp_path / "report" / "figures" / "accuracy.svg").getroot().itertext())
    assert {"Accuracy by epoch", "accuracy", "epoch 1, whose weights were kept"} <= set(words)
    counts = list(ET.parse(tmp_path / "report" / "figures" / "confusion.svg").getroot().itertext())
    assert [text for text in counts if text in ("1", "2", "3")] == ["3", "1", "3", "1", "1", "3"]


def test_every_cell_that_is_not_empty_leads_to_its_photos(given: ReportInput) -> None:
    shown = Page(page(given))
    targets = {attributes["href"] for attributes in shown.all("a") if "cell-" in str(attributes.get("href"))}
    assert targets == {f"#cell-{t}-{p}" for t, (p, _) in zip(TRUE, TAKEN, strict=True)}
    assert targets <= {f"#{name}" for name in shown.values("id")}


def test_every_link_stays_in_the_page_and_every_name_is_given_once(given: ReportInput) -> None:
    shown = Page(page(replace(given, steps=(NextStep("Go on:", "phototriage convert mine"),))))
    names = shown.values("id")
    assert len(names) == len(set(names))
    assert {link[1:] for link in shown.values("href")} <= set(names)
    assert all(link.startswith("#") for link in shown.values("href"))


def test_the_page_asks_nothing_of_the_network_and_runs_nothing(given: ReportInput) -> None:
    text = page(given)
    shown = Page(text)
    assert all(source.startswith("data:image/jpeg;base64,") for source in shown.values("src"))
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in shown.elements}
    assert not re.search(r"url\(|@import|https?:", text)
    policy = next(item["content"] for item in shown.all("meta") if item.get("http-equiv") == "Content-Security-Policy")
    assert cast(str, policy).startswith("default-src 'none'")


def test_names_of_classes_files_findings_and_settings_are_only_text(given: ReportInput, tmp_path: Path) -> None:
    odd = tmp_path / "photos" / f"{EVIL.replace('/', chr(0x2215))}.jpg"
    evil = replace(
        given,
        title=EVIL,
        source=EVIL,
        labels=(EVIL, '"><img src=x onerror=alert(1)>', "street"),
        predictions=Predictions((Photo(odd, given.predictions.photos[3].label, "val"), *given.predictions.photos[:3]),
                                given.predictions.probabilities[[3, 0, 1, 2]]),
        findings=(ReportFinding(EVIL, "warning", EVIL, ((odd, EVIL),)),),
        card=((EVIL, EVIL),),
        recipe={EVIL: EVIL},
        steps=(NextStep(EVIL, EVIL),),
    )  # fmt: skip
    shown = Page(page(evil))
    assert "script" not in {tag for tag, _ in shown.elements}
    assert not any(name.startswith("on") for _, attributes in shown.elements for name in attributes)
    assert all(source.startswith("data:") for source in shown.values("src"))
    assert EVIL in shown.text


def test_thumbnails_are_small_and_carry_nothing_but_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera with a serial number"
    Image.new("RGB", (3000, 1500), "orange").save(tmp_path / "a.jpg", exif=exif, comment=b"at home")
    uri = thumbnail(tmp_path / "a.jpg")
    assert uri is not None
    data = base64.b64decode(uri.partition(",")[2])
    with Image.open(io.BytesIO(data)) as small:
        assert small.size == (128, 64)
        assert not small.getexif()
        assert "comment" not in small.info
    assert b"camera" not in data


def test_photos_that_are_gone_leave_a_tile_that_says_so(given: ReportInput) -> None:
    for photo in given.predictions.photos:
        photo.path.unlink()
    shown = Page(page(given))
    assert not shown.all("img")
    assert "no picture here" in shown.text


def test_two_hundred_classes_and_thousands_of_photos_make_a_file_that_opens(tmp_path: Path) -> None:
    labels = [f"class {number:03d}" for number in range(200)]
    rng = np.random.default_rng(0)
    true = rng.integers(0, 200, 6000)
    given = rng.dirichlet(np.full(200, 0.05), 6000)
    given[np.arange(6000), true] += 0.2
    given /= given.sum(axis=1, keepdims=True)
    draw_scene("forest", 1, (300, 300)).save(tmp_path / "one.jpg", quality=95)
    photos = []
    for number, label in enumerate(true):  # every one a file of its own, as far as the page can tell
        photos.append(Photo(tmp_path / f"{number}.jpg", int(label), "val"))
        photos[-1].path.hardlink_to(tmp_path / "one.jpg")
    text = page(ReportInput("large", labels, Predictions(tuple(photos), given), tmp_path))
    assert len(text) < 8_000_000
    assert "170 others are left out" in Page(text).text


def test_no_more_than_the_set_number_of_pictures_is_made(given: ReportInput, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.report.page.THUMBNAILS", 4)
    shown = Page(page(given))
    assert len(set(shown.values("src"))) <= 4
    assert "has reached its limit of pictures" in shown.text


def test_a_model_without_mistakes_has_a_report_too(given: ReportInput) -> None:
    perfect = probabilities([(label, 0.9) for label in TRUE], 3)
    shown = Page(page(replace(given, predictions=Predictions(given.predictions.photos, perfect))))
    assert "All 12 validation photos were put into the right class." in shown.text


def test_one_photo_of_one_class_has_a_report_too(given: ReportInput) -> None:
    one = Predictions(given.predictions.photos[:1], given.predictions.probabilities[:1])
    assert "All 1 validation photos" in Page(page(replace(given, predictions=one))).text


def luminance(colour: tuple[float, ...]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Contrast as WCAG 2 defines it, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_what_is_behind_it_in_light_and_dark(theme: int) -> None:
    text = style()
    block = re.findall(r":root \{(.*?)\}", text, re.DOTALL)[theme]
    colours = {name: tuple(int(value[place : place + 2], 16) / 255 for place in (0, 2, 4))
               for name, value in re.findall(r"--(\w+): #([0-9a-f]{6})", block)}  # fmt: skip
    for name in ("ink", "muted", "link", "right", "wrong"):
        for behind in ("card", "paper"):
            assert contrast(colours[name], colours[behind]) >= 4.5, (name, behind)
    deepest = max(int(value) for value in re.findall(r"--deep: (\d+)%", text)) / 100
    for tint in ("right", "wrong"):
        mixed = tuple(deepest * a + (1 - deepest) * b for a, b in zip(colours[tint], colours["card"], strict=True))
        assert contrast(colours["ink"], mixed) >= 4.5, tint
    for name in ("s0", "s1", "s2", "s3"):
        assert contrast(colours[name], colours["card"]) >= 3, name

"""The README's moving picture shows what the daemon did with each photo."""

from pathlib import Path
from xml.etree import ElementTree

from benchmarks.filing_picture import animation
from daemon.commands.demo import filed_pictures

SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_shows_each_photo_on_its_way_and_what_the_daemon_said_of_it(tmp_path: Path) -> None:
    rows = list(filed_pictures(tmp_path))
    picture = ElementTree.fromstring(animation(rows))
    assert len(rows) == len(picture.findall(f"{SVG}image")) == 12
    said = [text.text or "" for text in picture.findall(f"{SVG}text") if text.get("class") == "line"]
    for row, line in zip(rows, said, strict=True):
        folder = "_review" if row["review_reason"] else row["label"]
        assert line.startswith(f"{Path(row['path']).name} -> {folder} {row['probability']:.2f} ")
        assert (tmp_path / "sorted" / folder / Path(row["path"]).name).is_file()

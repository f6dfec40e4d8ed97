"""What services, lists and commands name becomes candidates, whatever they write."""

import csv
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collect.errors import CollectError
from collect.sources.candidate import Candidate, candidate_of
from collect.sources.choose import source_of
from collect.sources.command import MOST_LINE_BYTES, Command
from collect.sources.commons import Commons
from collect.sources.listed import Listed
from collect.sources.openverse import PAGE, PAGES, Openverse
from collect.sources.service import Service
from common.licences import LICENCES, code_of, owed
from common.sources import Source, csv_row, find_sources, is_collected, read_sources
from tests.collect.web import Handler, Server, fetcher, no_wait


def openverse(web: Server, licences: tuple[str, ...] = ("cc0", "by")) -> Openverse:
    return Openverse(Service("api.openverse.org", fetcher(), no_wait), "red car", licences, web.url("/v1/images/"))


def commons(web: Server) -> Commons:
    return Commons(Service("commons.wikimedia.org", fetcher(), no_wait), "red car", web.url("/w/api.php"))


def image(number: int, **more: Any) -> dict[str, Any]:
    """One result of Openverse's API."""
    return {
        "id": str(number), "title": f"Car {number}", "url": f"https://photos.test/{number}.jpg", "creator": "Ann",
        "license": "by", "license_version": "2.0", "license_url": "https://creativecommons.org/licenses/by/2.0/",
        "foreign_landing_url": f"https://photos.test/{number}", "attribution": f'"Car {number}" by Ann, CC BY 2.0.',
        "provider": "flickr", "source": "flickr", "mature": False, "width": 640, "height": 480,
    } | more  # fmt: skip


def test_openverse_is_asked_page_by_page_for_the_licences_that_are_wanted(web: Server) -> None:
    def pages(handler: Handler) -> None:
        page = int(handler.words["page"])
        found = [image(PAGE * (page - 1) + place) for place in range(PAGE if page < 3 else 5)]
        handler.reply_json({"result_count": 45, "page_count": 3, "page_size": PAGE, "page": page, "results": found})

    web.routes["/v1/images/"] = pages
    found = list(openverse(web).candidates())
    assert [each.url for each in found] == [f"https://photos.test/{number}.jpg" for number in range(45)]
    assert found[0] == Candidate(
        "https://photos.test/0.jpg", "by", "https://creativecommons.org/licenses/by/2.0/", "Ann",
        '"Car 0" by Ann, CC BY 2.0.', "Car 0", "https://photos.test/0",
    )  # fmt: skip
    assert [path.partition("?")[2] for path, _ in web.asked] == [
        f"q=red+car&license=cc0%2Cby&page_size=20&page={page}" for page in (1, 2, 3)
    ]


def test_openverse_is_not_asked_for_more_than_it_gives_without_a_key(web: Server) -> None:
    web.routes["/v1/images/"] = lambda handler: handler.reply_json({"page_count": 500, "results": [image(1)]})
    assert len(list(openverse(web).candidates())) == len(web.asked) == PAGES


@pytest.mark.parametrize(
    "answer",
    [
        *({}, {"results": None}, {"results": [], "page_count": 9}, {"results": ["x", 3, None, {}, {"url": 7}]}),
        {"results": [{"url": "https://photos.test/a b"}, {"url": "javascript:alert(1)"}], "page_count": "many"},
    ],
)
def test_results_that_are_none_are_passed_over(web: Server, answer: dict[str, Any]) -> None:
    web.routes["/v1/images/"] = lambda handler: handler.reply_json(answer)
    assert list(openverse(web).candidates()) == []
    assert len(web.asked) == 1


def test_a_service_that_is_busy_is_asked_again(web: Server) -> None:
    statuses = iter((429, 200))

    def busy(handler: Handler) -> None:
        answer = {"page_count": 1, "results": [image(1)]}
        handler.reply_json(answer, next(statuses), {"Retry-After": "3", "X-RateLimit-Limit-anon_burst": "20/min"})

    web.routes["/v1/images/"] = busy
    assert len(list(openverse(web).candidates())) == 1


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (429, b"{}", "asks to wait 9000 s. What was collected is kept: run the same command again later"),
        (401, b'{"detail": "page_size may not exceed 20"}', "status 401"),
        (500, b"oops", "status 500"),
        (200, b"<html>", "its answer is no JSON"),
        (200, b"[" * 100_000, "its answer is no JSON"),
        (200, b"[]", "its answer is no JSON object"),
        (200, b" " * 5_000_000, "more than"),
    ],
)
def test_a_service_that_fails_ends_the_collection_with_a_sentence(
    web: Server, status: int, body: bytes, says: str
) -> None:
    web.routes["/v1/images/"] = lambda handler: handler.reply(body, "application/json", status, {"Retry-After": "9000"})
    with pytest.raises(CollectError, match=says):
        list(openverse(web).candidates())


def file_page(number: int, index: int, **facts: str) -> dict[str, Any]:
    """One page of the answer of Wikimedia Commons."""
    values = {"LicenseShortName": "CC BY-SA 4.0", "License": "cc-by-sa-4.0", "ObjectName": f"Car {number}"} | facts
    info = {
        "thumburl": f"https://upload.test/thumb/{number}/1280px-{number}.jpg", "thumbwidth": 1280,
        "url": f"https://upload.test/{number}.jpg", "descriptionurl": f"https://commons.test/wiki/File:{number}.jpg",
        "extmetadata": {name: {"value": value, "source": "commons-desc-page"} for name, value in values.items()},
    }  # fmt: skip
    return {"pageid": number, "ns": 6, "title": f"File:{number}.jpg", "index": index, "imageinfo": [info]}


def test_commons_is_asked_on_with_what_it_says_and_its_markup_becomes_words(web: Server) -> None:
    artist = '<a href="//commons.wikimedia.org/wiki/User:Rama" title="User:Rama">Rama</a> &amp; Mus\u00e9e Bolo'

    def pages(handler: Handler) -> None:
        if "gsroffset" not in handler.words:
            listed = [file_page(2, 2), file_page(1, 1, Artist=artist), {"pageid": 9, "title": "File:later.jpg"}]
            more = {"continue": {"gsroffset": 50, "continue": "gsroffset||"}}
            handler.reply_json({"batchcomplete": True, **more, "query": {"pages": listed}})
        else:
            assert (handler.words["gsroffset"], handler.words["continue"]) == ("50", "gsroffset||")
            handler.reply_json({"batchcomplete": True, "query": {"pages": [file_page(3, 51, LicenseShortName="PD")]}})

    web.routes["/w/api.php"] = pages
    found = list(commons(web).candidates())
    assert [each.url.rpartition("-")[2] for each in found] == ["1.jpg", "2.jpg", "3.jpg"]
    assert [each.licence for each in found] == ["by-sa", "by-sa", "pdm"]
    assert found[0].creator == "Rama & Mus\u00e9e Bolo"
    assert (
        found[0].attribution == '"Car 1" by Rama & Mus\u00e9e Bolo, CC BY-SA 4.0, https://commons.test/wiki/File:1.jpg'
    )
    path = web.asked[0][0]
    assert "generator=search" in path
    assert "gsrsearch=red+car+filetype%3Abitmap" in path


def test_commons_says_in_its_answer_that_it_is_busy_or_refuses(web: Server) -> None:
    answers = iter([{"error": {"code": "maxlag", "info": "Waiting"}}, {"query": {"pages": [file_page(1, 1)]}}])
    web.routes["/w/api.php"] = lambda handler: handler.reply_json(next(answers))
    assert len(list(commons(web).candidates())) == 1
    web.routes["/w/api.php"] = lambda handler: handler.reply_json({"error": {"code": "bad", "info": "<b>No</b> query"}})
    with pytest.raises(CollectError, match="refuses the query: No query"):
        list(commons(web).candidates())


@pytest.mark.parametrize(
    ("written", "code"),
    [
        *(("by", "by"), ("CC BY-SA 4.0", "by-sa"), ("cc-by-sa-2.0-fr", "by-sa"), ("CC BY-NC-ND 3.0 igo", "by-nc-nd")),
        *(("CC0", "cc0"), ("cc-zero", "cc0"), ("CC0 1.0", "cc0"), ("Public domain", "pdm"), ("pd", "pdm")),
        ("https://creativecommons.org/licenses/by-nc/2.0/", "by-nc"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0"),
        ("http://creativecommons.org/publicdomain/mark/1.0/", "pdm"),
        *(("", ""), ("all rights reserved", ""), ("by the way", ""), ("GFDL", ""), ("by-xx", ""), ("cc by or not", "")),
        *(("https://evil.test/licenses/by/2.0/", ""), ("by-sa-nd", ""), ("sampling+", ""), ("<b>by</b>", "")),
    ],
)
def test_a_licence_is_known_by_its_code_its_name_or_its_address_and_else_unknown(written: str, code: str) -> None:
    assert code_of(written) == code


def test_each_licence_says_what_is_owed() -> None:
    assert [code for code in LICENCES if not owed(code)] == ["cc0", "pdm"]
    assert "no commercial use" in owed("by-nc-sa")
    assert "adapted" in owed("by-nd")


HOSTILE = {
    "url": "https://photos.test/a.jpg",
    "licence": "<i>CC</i> BY 4.0",
    "creator": '=HYPERLINK("http://evil.test")<script>alert(1)</script>\x1b[2J\u202e',
    "title": "@SUM(1)\n<img src=x onerror=alert(1)>" + "x" * 100_000,
    "page": 'https://photos.test/"><script>',
    "attribution": ["no", "text"],
}


def test_markup_formulas_and_terminal_commands_do_not_reach_the_table(tmp_path: Path) -> None:
    found = candidate_of(HOSTILE)
    assert found is not None
    assert found.licence == "by"
    assert found.creator == '=HYPERLINK("http://evil.test")[2J'
    assert len(found.title) <= 500
    assert "<" not in found.title + found.attribution
    assert found.page == ""
    source = Source(sha256="0" * 64, found_by="-x", **found._asdict())
    with (tmp_path / "sources.csv").open("w", newline="") as file:
        csv.writer(file).writerows([Source._fields, csv_row(source)])
    with (tmp_path / "sources.csv").open(newline="") as file:
        assert not [cell for row in csv.reader(file) for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert list(read_sources(tmp_path / "sources.csv")) == [source]


@pytest.mark.parametrize(
    "url", [None, 3, "", "a.jpg", "https://a b", "https://a\n", "https://a>", "https://" + "a" * 3000]
)
def test_what_is_no_address_is_no_candidate(url: object) -> None:
    assert candidate_of({"url": url, "licence": "by"}) is None


def test_a_list_is_json_lines_or_the_table_of_another_collection(tmp_path: Path) -> None:
    lines = tmp_path / "urls.jsonl"
    lines.write_text('{"url": "https://a.test/1", "license": "cc0"}\n\n{"url": "https://b.test/2", "licence": "x"}\n')
    assert [(each.url, each.licence) for each in Listed(lines).candidates()] == [
        ("https://a.test/1", "cc0"), ("https://b.test/2", ""),
    ]  # fmt: skip
    assert "2 hosts are asked for photos: a.test, b.test." in Listed(lines).leaves()
    table = tmp_path / "sources.csv"
    source = Source("0" * 64, "https://a.test/1", "by", creator="+Ann", page="https://a.test/")
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([Source._fields, csv_row(source)])
    (found,) = Listed(table).candidates()
    assert (found.url, found.licence, found.creator) == ("https://a.test/1", "by", "+Ann")


@pytest.mark.parametrize("text", ["[1]", "{", "url,licence", '{"licence": "by"}', "\x00", '{"url": "a"}'])
def test_a_line_that_names_no_photo_is_told_with_its_number(tmp_path: Path, text: str) -> None:
    file = tmp_path / "urls.jsonl"
    file.write_text(f'{{"url": "https://a.test/1"}}\n{text}\n')
    with pytest.raises(CollectError, match=r"Line 2 of .*urls.jsonl names no URL. Write one JSON object"):
        list(Listed(file).candidates())


def test_a_list_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    for name in ("missing", "bytes"):
        with pytest.raises(CollectError, match="cannot be read"):
            list(Listed(tmp_path / name).candidates())


def program(tmp_path: Path, code: str) -> str:
    file = tmp_path / "program.py"
    file.write_text(f"import json, os, subprocess, sys, time\n{code}\n")
    return f"{sys.executable} {file}"


def test_what_a_command_prints_are_candidates(tmp_path: Path) -> None:
    line = json.dumps({"url": "https://a.test/1", "licence": "by"})
    found = list(Command(program(tmp_path, f"print({line!r}); print({line!r}, end='')")).candidates())
    assert found == [found[0], found[0]]
    assert found[0].licence == "by"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("print('hello')", "Line 1 of what command:.* names no URL"),
        ("sys.exit('no key')", r"failed with exit code 1 \(no key\)"),
        ("os.kill(os.getpid(), 9)", "failed with exit code -9"),
        (f"print('x' * {MOST_LINE_BYTES * 2}, flush=True); time.sleep(600)", "prints a line of more than"),
        ("sys.stdout.buffer.write(bytes(range(256)))", "names no URL"),
    ],
)
def test_a_command_that_fails_or_lies_is_ended_with_a_sentence(tmp_path: Path, code: str, says: str) -> None:
    with pytest.raises(CollectError, match=says):
        list(Command(program(tmp_path, code)).candidates())


def test_a_command_that_prints_nothing_is_ended(tmp_path: Path) -> None:
    with pytest.raises(CollectError, match=r"printed nothing for 0.1 s"):
        list(Command(program(tmp_path, "time.sleep(600)"), stall_s=0.1).candidates())


def test_a_command_that_never_ends_is_ended_with_its_children(tmp_path: Path) -> None:
    """The child holds the other end of the pipe: it is gone when that gives the end of the file."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    line = json.dumps({"url": "https://a.test/1", "licence": "by"})
    code = (
        f"held = open({str(fifo)!r}, 'w')\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], pass_fds=[held.fileno()])\n"
        f"while True: print({line!r}, flush=True)"
    )
    ended = threading.Event()

    def read() -> None:
        with fifo.open() as file:
            file.read()
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    found: Iterator[Candidate] = Command(program(tmp_path, code)).candidates()
    assert next(found).url == "https://a.test/1"
    found.close()  # type: ignore[attr-defined]
    reader.join(timeout=60)
    assert ended.is_set()


def test_a_command_that_is_not_there_and_a_source_that_is_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(CollectError, match="cannot be started"):
        list(Command(str(tmp_path / "missing")).candidates())
    for text in ("google", "list:", "command:", "command: ", "Openverse", "openverse:x"):
        with pytest.raises(CollectError, match=r"no source|names no command"):
            source_of(text, "q", ("by",), fetcher(), no_wait)


def test_tables_are_found_in_the_dataset_and_beside_it(tmp_path: Path) -> None:
    places = [
        *("photos/sources.csv", "photos/car/sources.csv", "photos/train/car/sources.csv", "collected/car/sources.csv"),
    ]
    for place in (*places, "other/car/sources.csv"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    folders = [tmp_path / "photos" / "car", tmp_path / "photos" / "train" / "car"]
    assert find_sources(tmp_path / "photos", folders) == sorted(tmp_path / place for place in places)
    assert tmp_path / "collected/car/sources.csv" in find_sources(tmp_path / "photos" / "train", [])
    assert is_collected("collected-0001-0123456789ab.jpg")
    assert not is_collected("collected-photo.jpg")

"""A free name is found for every name, at most 255 bytes long, and cut between characters."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.files.limits import HIDDEN_BYTES, MAX_NAME_BYTES, most_bytes, plain
from daemon.files.names import free_name, free_number, numbered, shortened
from daemon.filing.move import temporary_beside
from tests.daemon.support import QUICK, identity

RAW = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    ("name", "second", "third"),
    [
        ("a.jpg", "a-1.jpg", "a-2.jpg"),
        ("a", "a-1", "a-2"),
        ("a.tar.gz", "a.tar-1.gz", "a.tar-2.gz"),
        ("a-1.jpg", "a-1-1.jpg", "a-1-2.jpg"),
        ("a.", "a.-1", "a.-2"),
        ("a b (1).JPG", "a b (1)-1.JPG", "a b (1)-2.JPG"),
        (f"{RAW}.jpg", f"{RAW}-1.jpg", f"{RAW}-2.jpg"),
        ("x" * 251 + ".jpg", "x" * 249 + "-1.jpg", "x" * 249 + "-2.jpg"),
        ("é" * 125 + ".jpg", "é" * 124 + "-1.jpg", "é" * 124 + "-2.jpg"),
        ("😀" * 62 + ".jpg", "😀" * 61 + "-1.jpg", "😀" * 61 + "-2.jpg"),
        ("😀" * 63 + "abc", "😀" * 63 + "a-1", "😀" * 63 + "a-2"),
        ("ab" + "😀" * 63, "ab" + "😀" * 62 + "-1", "ab" + "😀" * 62 + "-2"),
        (RAW * 63 + "abc", (RAW * 63 + "abc")[:253] + "-1", (RAW * 63 + "abc")[:253] + "-2"),
        ("a." + "e" * 253, "a." + "e" * 251 + "-1", "a." + "e" * 251 + "-2"),
        ("a." + "e" * 31, "a-1." + "e" * 31, "a-2." + "e" * 31),
        ("a." + "e" * 32, "a." + "e" * 32 + "-1", "a." + "e" * 32 + "-2"),
    ],
    ids=lambda name: name[:3].encode("ascii", "replace").decode() + str(len(name)),
)
def test_a_taken_name_gets_a_number_before_its_extension(tmp_path: Path, name: str, second: str, third: str) -> None:
    got = []
    for _ in range(3):
        path = free_name(tmp_path, name)
        path.write_bytes(b"")
        got.append(path.name)
    assert got == [name, second, third]


def test_a_promised_name_is_taken_and_so_is_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "a-1.jpg").symlink_to("nowhere")
    promised = {tmp_path / "a.jpg"}
    assert free_name(tmp_path, "a.jpg", promised.__contains__) == tmp_path / "a-2.jpg"


def test_numbers_go_on_past_nine(tmp_path: Path) -> None:
    for _ in range(12):
        free_name(tmp_path, "x" * 255).write_bytes(b"")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"x" * 255, *("x" * 253 + f"-{n}" for n in range(1, 10)), "x" * 252 + "-10", "x" * 252 + "-11"}


@pytest.mark.parametrize("taken", [0, 1, 2, 3, 7, 8, 9, 100, 99_999])
def test_the_next_number_takes_few_looks_however_many_are_taken(taken: int) -> None:
    looks: list[int] = []

    def is_free(number: int) -> bool:
        looks.append(number)
        return number >= taken

    assert free_number(is_free) == taken
    assert len(looks) <= 2 * taken.bit_length() + 2


def test_gaps_among_the_taken_numbers_end_in_a_free_one_that_follows_a_taken_one() -> None:
    taken = {0, 1, 2, 5, 6, 40}
    number = free_number(lambda number: number not in taken)
    assert number not in taken
    assert number - 1 in taken


def test_the_hidden_copies_of_two_photos_that_go_to_one_name_are_two_and_a_restart_finds_them(tmp_path: Path) -> None:
    target, one, two = tmp_path / "a.jpg", tmp_path / "1" / "a.jpg", tmp_path / "2" / "a.jpg"
    copies = [temporary_beside(target, path, identity(number)) for path in (one, two) for number in (1, 2)]
    assert len(set(copies)) == 4
    assert temporary_beside(target, one, identity(1)) == copies[0]


NAMES = st.one_of(
    st.binary(min_size=1, max_size=255),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255).map(lambda text: text.encode()[:255]),
    st.builds(lambda stem, end: (stem * 300 + b"." + end)[-255:], st.binary(min_size=1), st.binary(max_size=40)),
).filter(lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b".."))


@QUICK
@given(NAMES, st.integers(0, 12))
def test_every_name_gets_a_free_one_of_at_most_255_bytes(name: bytes, taken: int) -> None:
    folder = Path("/nowhere-at-all")
    promised: set[Path] = set()
    for _ in range(taken + 1):
        path = free_name(folder, os.fsdecode(name), promised.__contains__)
        assert path not in promised
        assert path.parent == folder
        assert 1 <= len(os.fsencode(path.name)) <= MAX_NAME_BYTES
        promised.add(path)
    assert (folder / os.fsdecode(name)) in promised


@QUICK
@given(NAMES)
def test_the_names_of_hidden_copies_and_notes_fit_too_and_are_made_from_text_by_whole_characters(name: bytes) -> None:
    path = Path("/nowhere-at-all") / os.fsdecode(name)
    copy = temporary_beside(path, path, identity())
    assert copy.name.startswith(".")
    assert copy.parent == path.parent
    note = shortened(path.name, ".why.txt")
    for made in (copy.name, note):
        assert len(os.fsencode(made)) <= MAX_NAME_BYTES
    try:
        name.decode()
    except UnicodeDecodeError:
        return
    for made in (copy.name, note):
        os.fsencode(made).decode()


@pytest.mark.parametrize(
    ("name", "plainer", "plainest"),
    [
        ("IMG 1.jpg", "IMG 1.jpg", "IMG 1.jpg"),
        ("12:30?.jpg", "12_30_.jpg", "12_30_.jpg"),
        ('a"*:<>?|\\b\x01\x7f.jpg', "a__________b__.jpg"[:9] + "b__.jpg", "a________b__.jpg"),
        (RAW + ".jpg", "caf_.jpg", "caf_.jpg"),
        ("été.jpg", "été.jpg", "_t_.jpg"),
        ("trip. ", "trip__", "trip__"),
        ("IMG.jpg. ", "IMG.jpg", "IMG.jpg"),
        ("con.jpg", "con_.jpg", "con_.jpg"),
        ("COM1", "COM1_", "COM1_"),
        ("console.jpg", "console.jpg", "console.jpg"),
        ("...", "___", "___"),
    ],
)
def test_a_name_is_made_plainer_in_steps(name: str, plainer: str, plainest: str) -> None:
    assert [plain(name, plainness) for plainness in range(3)] == [name, plainer, plainest]


def test_hidden_copies_fit_where_any_name_fits(tmp_path: Path) -> None:
    source = tmp_path / ("x" * 255)
    assert len(temporary_beside(tmp_path / source.name, source, identity()).name) == HIDDEN_BYTES


def test_the_length_of_a_name_is_that_of_its_file_system_and_of_what_its_path_leaves(tmp_path: Path) -> None:
    assert most_bytes(tmp_path / "not" / "there" / "yet") == MAX_NAME_BYTES
    assert most_bytes(Path("/" + "d/" * 1_950 + "e" * 100)) == 4095 - len("/" + "d/" * 1_950 + "e" * 100) - 1


@pytest.mark.parametrize(("number", "name"), [(0, "x" * 139 + ".jpg"), (7, "x" * 137 + "-7.jpg")])
def test_a_name_is_cut_to_the_limit_of_its_folder_with_its_extension(number: int, name: str) -> None:
    assert numbered("x" * 200 + ".jpg", number, 143) == name

"""Which labels may become folders."""

import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ContractError
from contract.labels import MAX_LABEL_BYTES, OTHER, check_labels
from tests.contract.photos import QUICK

ACCEPTED = [
    *("forest", "Forêt", "森", "0", "a b", "a.b", "x-1", "naïve (old)", "~home", "-rf", "$HOME", "'; rm", "console"),
    *("é" * 50, "a" * MAX_LABEL_BYTES, "com0", "nullable", "🌲", OTHER),
]
REFUSED = [
    ("", "empty"),
    ("   ", "empty"),
    (" a", "space"),
    ("a ", "space"),
    ("a\u00a0", "space"),
    ("a.", "dot"),
    (".", "dot"),
    ("..", "dot"),
    (".hidden", "dot"),
    ("_failed", "underscore"),
    ("_Other", "underscore"),
    ("../../x", "dot"),
    ("a/b", "holds one of"),
    ("/etc", "holds one of"),
    ("a\\b", "holds one of"),
    ("c:", "holds one of"),
    ('a"b', "holds one of"),
    ("a*", "holds one of"),
    ("a\0b", "control"),
    ("a\nb", "control"),
    ("a\x1b[31mb", "control"),
    ("a\u202eb", "control"),
    ("a\u200bb", "control"),
    ("a\u2028b", "control"),
    ("a\ud800b", "control"),
    ("con", "Windows"),
    ("Nul.txt", "Windows"),
    ("LPT1", "Windows"),
    ("e\u0301", "normal form"),
    ("a" * (MAX_LABEL_BYTES + 1), "longer"),
    ("é" * 51, "longer"),
    (7, "not text"),
    (None, "not text"),
    (["a"], "not text"),
    (b"a", "not text"),
]


@pytest.mark.parametrize("label", ACCEPTED)
def test_a_safe_label_is_accepted_unchanged_and_in_order(label: str) -> None:
    assert check_labels([label, "other"]) == (label, "other")
    assert check_labels(("other", label)) == ("other", label)


@pytest.mark.parametrize(("label", "fault"), REFUSED, ids=lambda value: ascii(value)[:20])
def test_an_unsafe_label_is_refused_with_its_fault_in_printable_words(label: str, fault: str) -> None:
    with pytest.raises(ContractError, match=fault) as caught:
        check_labels(["other", label])
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("pair", [("a", "a"), ("Sea", "sea"), ("straße", "STRASSE"), ("É", "é"), ("ß", "ẞ")])
def test_two_labels_that_are_one_folder_where_case_is_ignored_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(ContractError, match="one folder"):
        check_labels(["other", *pair])


@pytest.mark.parametrize("labels", [[], ["alone"], (), "ab"])
def test_fewer_than_two_labels_or_one_text_is_no_classifier(labels: list[str]) -> None:
    with pytest.raises(ContractError):
        check_labels(labels)


# What paths are made of comes often, so that the search is not lost among harmless letters.
NASTY = st.text(st.sampled_from("./\\_~: a\0\n\u202eéE\u0301") | st.characters(), max_size=40)


@given(NASTY)
@settings(QUICK, max_examples=300)
def test_an_accepted_label_makes_a_folder_inside_its_parent_and_nowhere_else(label: str) -> None:
    try:
        check_labels([label, "some-other-label"])
    except ContractError:
        return
    with tempfile.TemporaryDirectory() as name:
        outer = Path(name).resolve()
        parent = outer / "a" / "b"
        parent.mkdir(parents=True)
        folder = parent / label
        folder.mkdir()
        assert [path.name for path in parent.iterdir()] == [label]
        assert folder.resolve().parent == parent
        assert set(outer.rglob("*")) == {outer / "a", parent, folder}
        assert unicodedata.normalize("NFC", label) == label

"""Nothing that is not markup by construction gets into a page unescaped."""

from common.html import Html, document, h
from tests.training.report.support import Page

EVIL = """<script>alert("1")</script>&'"""


def test_texts_and_attributes_are_escaped_and_markup_is_not() -> None:
    made = h("p", EVIL, [EVIL, h("b", EVIL)], title=EVIL)
    assert made.count("<script") == 0
    assert made.count("<b>") == 1
    assert Page(made).all("p") == [{"title": EVIL}]
    assert Page(made).text == EVIL * 3


def test_putting_a_text_next_to_markup_does_not_make_it_markup() -> None:
    assert h("p", h("b", "x") + EVIL).count("<script") == 0


def test_attributes_are_named_as_html_names_them_and_absent_ones_are_left_out() -> None:
    assert (
        h("a", class_="x", aria_label="y", open=True, hidden=False, id=None) == '<a class="x" aria-label="y" open></a>'
    )


def test_names_that_are_no_text_do_not_break_the_page() -> None:
    made = document("caf\udce9\0", "", Html(""))
    assert b"caf\\udce9" in made.encode("utf-8")
    assert "\0" not in made

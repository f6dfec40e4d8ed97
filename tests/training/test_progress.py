"""Progress is plain lines where nobody looks at a terminal, with rate and time left, and names stay as they are."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from training.progress import Reporter, duration


def clock(*seconds: float) -> Iterator[float]:
    yield from seconds


def test_lines_come_at_intervals_with_rate_and_time_left() -> None:
    story = io.StringIO()
    ticks = clock(0, 5, 20, 21, 40)
    with Reporter(Console(file=story, width=100), lambda: next(ticks)).work("Decoding", 1000) as tick:
        for done in (50, 50, 50, 50):
            tick(done)
    assert story.getvalue().splitlines() == [
        "Decoding: 100 of 1000, 5 photos/s, 3 min 00 s left",
        "Decoding: 200 of 1000, 5 photos/s, 2 min 40 s left",
    ]


def test_on_a_terminal_a_bar_moves_and_is_gone_at_the_end() -> None:
    story = io.StringIO()
    console = Console(file=story, force_terminal=True, width=100)
    with Reporter(console).work("Decoding", 10) as tick:
        tick(10)
    assert "Decoding" in story.getvalue()
    assert story.getvalue().endswith("\x1b[2K")


def test_markup_in_a_name_is_printed_and_not_obeyed() -> None:
    story = io.StringIO()
    Reporter(Console(file=story, width=100)).say("Left out: [red]x[/red].jpg")
    assert story.getvalue() == "Left out: [red]x[/red].jpg\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7620, "2 h 07 min"), (-1, "0 s")]
)
def test_a_duration_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words

"""A file is handed on exactly once, and never while it changes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.files.identity import Identity
from daemon.intake.settle import Settled, Settler, Trigger
from tests.daemon.support import QUICK, identity, saying

PATH = Path("/inbox/a.jpg")
CLOSED_S, FOUND_S = 0.05, 0.25
A, B = identity(size=10), identity(size=20)

Seen = tuple[float, Trigger, Identity]


@pytest.mark.parametrize(
    ("seen", "looks", "ready_at_s", "since_s", "sign"),
    [
        pytest.param([(0, Trigger.MOVED_IN, A)], [A], 0.0, 0, Trigger.MOVED_IN, id="moved in is ready at once"),
        pytest.param([(0, Trigger.RENAMED, A)], [A], 0.1, 0, Trigger.RENAMED, id="renamed may get its time"),
        pytest.param([(0, Trigger.RENAMED, A)], [B, B], 0.2, 0, Trigger.RENAMED, id="renamed and got its time"),
        pytest.param([(0, Trigger.CLOSED, A)], [A], CLOSED_S, 0, Trigger.CLOSED, id="closed waits a moment"),
        pytest.param([(0, Trigger.FOUND, A)], [A], FOUND_S, 0, Trigger.FOUND, id="found is looked at twice"),
        pytest.param(
            [(0, Trigger.FOUND, A), (0.1, Trigger.CLOSED, A)], [A], 0.1 + CLOSED_S, 0, Trigger.CLOSED,
            id="a close hastens",
        ),
        pytest.param(
            [(0, Trigger.FOUND, A), (0.1, Trigger.MOVED_IN, B)], [B], 0.1, 0, Trigger.MOVED_IN,
            id="another file moved over it",
        ),
        pytest.param(
            [(0, Trigger.CLOSED, A), (0.02, Trigger.FOUND, A)], [A], CLOSED_S, 0, Trigger.CLOSED,
            id="a scan does not delay",
        ),
        pytest.param(
            [(0, Trigger.CLOSED, A), (0.04, Trigger.CLOSED, B)], [B], 0.04 + CLOSED_S, 0, Trigger.CLOSED,
            id="closed again with more in it",
        ),
        pytest.param(
            [(0, Trigger.CLOSED, A), (0.04, Trigger.CLOSED, A)], [A], CLOSED_S, 0, Trigger.CLOSED,
            id="closed again unchanged",
        ),
        pytest.param([(0, Trigger.CLOSED, A)], [B, B], 2 * CLOSED_S, 0, Trigger.CLOSED, id="grown when looked at"),
        pytest.param([(0, Trigger.FOUND, A)], [B, A, A], 3 * FOUND_S, 0, Trigger.FOUND, id="still growing, twice"),
        pytest.param([(0, Trigger.MOVED_IN, A)], [B, B], CLOSED_S, 0, Trigger.CLOSED, id="moved in, then written to"),
    ],
)  # fmt: skip
def test_a_file_is_ready_when_it_has_settled(
    seen: list[Seen], looks: list[Identity], ready_at_s: float, since_s: float, sign: Trigger
) -> None:
    settler = Settler(CLOSED_S, FOUND_S)
    for now_s, how, who in seen:
        assert settler.due(now_s - 1e-9) == []
        settler.see(PATH, who, how, now_s)
    for number, looked in enumerate(looks, 1):
        due_s = settler.next_due_s()
        assert due_s is not None
        assert settler.due(due_s - 1e-9) == []
        assert settler.due(due_s) == [PATH]
        settled = settler.look(PATH, looked, due_s)
        assert (settled is None) == (number < len(looks))
    assert settled == Settled(since_s, sign)
    assert due_s == pytest.approx(ready_at_s)
    assert PATH not in settler
    assert settler.next_due_s() is None


def test_what_is_gone_is_forgotten_and_never_due() -> None:
    settler = Settler()
    settler.see(PATH, A, Trigger.CLOSED, 0.0)
    settler.forget(PATH)
    settler.forget(PATH)
    assert len(settler) == 0
    assert settler.next_due_s() is None
    assert settler.due(100.0) == []


def test_files_are_due_in_the_order_of_their_time() -> None:
    settler = Settler(CLOSED_S, FOUND_S)
    paths = [Path(f"/inbox/{number}") for number in range(4)]
    for path, sign in zip(paths, (Trigger.FOUND, Trigger.CLOSED, Trigger.MOVED_IN, Trigger.CLOSED), strict=True):
        settler.see(path, A, sign, 0.0)
    assert settler.due(1.0) == [paths[2], paths[1], paths[3], paths[0]]


@pytest.mark.parametrize(
    ("far", "sign", "unchanged_s", "wait_s"),
    [
        (False, Trigger.FOUND, 2.25, 0.0), (False, Trigger.FOUND, 2.24, 0.25), (False, Trigger.FOUND, -5.0, 0.25),
        (True, Trigger.FOUND, 1e9, 2.0), (False, Trigger.CLOSED, 1e9, 0.05), (False, Trigger.MOVED_IN, 0.0, 0.0),
    ],
)  # fmt: skip
def test_what_was_found_and_left_alone_for_long_need_not_wait_but_on_a_share_whose_clock_is_its_own(
    far: bool, sign: Trigger, unchanged_s: float, wait_s: float
) -> None:
    settler = Settler()
    assert settler.see(PATH, A, sign, 10.0, unchanged_s, slow=far) == (wait_s == 0.0)
    assert settler.next_due_s() == pytest.approx(10.0 + wait_s)


STEPS = st.lists(
    st.tuples(st.sampled_from([*Trigger, "write", "remove"]), st.floats(0.0, 0.3), st.integers(0, 2)), max_size=40
)


@QUICK
@given(STEPS)
def test_whatever_happens_each_state_is_handed_on_at_most_once_and_only_unchanged_for_its_time(
    steps: list[tuple[Trigger | str, float, int]],
) -> None:
    """A model of the inbox: three files, written and removed at will, announced by any sign or none."""
    settler, now_s = Settler(CLOSED_S, FOUND_S), 0.0
    files: dict[Path, Identity] = {}
    changed_s: dict[Path, float] = {}
    handed: set[tuple[Path, Identity]] = set()
    for number, (step, seconds, which) in enumerate([*steps, *[(Trigger.FOUND, 1.0, who) for who in range(3)] * 3], 1):
        now_s += seconds
        path = Path(f"/inbox/{which}")
        if step == "write":
            files[path], changed_s[path] = identity(size=number), now_s
        elif step == "remove":
            files.pop(path, None)
        elif path in files and (path, files[path]) not in handed and isinstance(step, Trigger):
            settler.see(path, files[path], step, now_s)
        for due in settler.due(now_s):
            if due not in files:
                settler.forget(due)
                continue
            settled = settler.look(due, files[due], now_s)
            if settled is None:
                continue
            waits_s = {Trigger.MOVED_IN: 0.0, Trigger.RENAMED: 0.1, Trigger.CLOSED: CLOSED_S, Trigger.FOUND: FOUND_S}
            wait_s = waits_s[settled.trigger]
            assert now_s - changed_s[due] >= wait_s - 1e-6
            assert (due, files[due]) not in handed
            handed.add((due, files[due]))
    assert set(files.items()) <= handed


def test_what_seems_to_go_on_waits_for_some_seconds_of_quiet_and_then_no_longer() -> None:
    settler = Settler(CLOSED_S, FOUND_S, quiet_s=5.0)
    settler.see(PATH, A, Trigger.CLOSED, 0.0)
    assert settler.look(PATH, A, CLOSED_S, goes_on=True) is None
    assert settler.next_due_s() == pytest.approx(CLOSED_S + 5.0)
    settler.see(PATH, B, Trigger.CLOSED, 3.0)  # the next piece
    assert settler.look(PATH, B, 3.0 + CLOSED_S, goes_on=True) is None
    assert settler.next_due_s() == pytest.approx(3.0 + CLOSED_S + 5.0)
    assert settler.look(PATH, B, 3.0 + CLOSED_S + 5.0, goes_on=True) == Settled(0.0, Trigger.CLOSED)
    settler.see(PATH, A, Trigger.CLOSED, 20.0)
    assert settler.look(PATH, A, 20.0 + CLOSED_S, goes_on=True) is None
    settler.see(PATH, B, Trigger.CLOSED, 22.0)
    assert settler.look(PATH, B, 22.0 + CLOSED_S, goes_on=False) == Settled(20.0, Trigger.CLOSED)  # the last piece


def test_what_is_held_open_is_looked_at_ever_more_rarely_and_at_once_when_it_is_closed() -> None:
    settler, held = Settler(CLOSED_S, FOUND_S), True
    settler.see(PATH, A, Trigger.CLOSED, 0.0)
    now_s, waits_s = 0.0, []
    for _ in range(6):
        due_s = settler.next_due_s()
        assert due_s is not None
        waits_s.append(due_s - now_s)
        now_s = due_s
        assert settler.due(now_s) == [PATH]
        assert settler.look(PATH, A, now_s, lambda: held) is None
        assert settler.held_s() == {PATH: CLOSED_S}
        assert len(settler) == 0  # it holds up no other
    assert waits_s == pytest.approx([CLOSED_S, 1.0, 2.0, 4.0, 8.0, 8.0])
    assert not settler.see(PATH, A, Trigger.FOUND, now_s)
    assert settler.next_due_s() == pytest.approx(now_s + 8.0)
    settler.see(PATH, A, Trigger.CLOSED, now_s)
    assert settler.next_due_s() == pytest.approx(now_s + CLOSED_S)
    assert settler.look(PATH, B, now_s + CLOSED_S, lambda: held) is None  # it grew meanwhile
    assert settler.held_s() == {PATH: CLOSED_S}
    held = False
    assert settler.look(PATH, B, now_s + 2 * CLOSED_S, lambda: held) == Settled(0.0, Trigger.CLOSED)
    assert settler.held_s() == {}
    assert PATH not in settler


def test_what_is_held_open_for_long_is_said_once_and_the_first_twenty_alone() -> None:
    said: list[str] = []
    settler = Settler(say=saying(said))
    paths = [Path(f"/inbox/{number}.jpg") for number in range(25)]

    def look(now_s: float, *, held: bool) -> None:
        for path in paths:
            settler.see(path, A, Trigger.CLOSED, now_s)
            settler.look(path, A, now_s, lambda: held)

    for now_s in (0.0, 59.0):
        look(now_s, held=True)
    assert said == []
    for now_s in (61.0, 600.0):
        look(now_s, held=True)
    assert len(said) == 20
    assert said[0] == "0.jpg stays in the inbox for now: a program holds it open for writing"
    look(601.0, held=False)
    for now_s in (602.0, 700.0):
        look(now_s, held=True)
    assert len(said) == 40

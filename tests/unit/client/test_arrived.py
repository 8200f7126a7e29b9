"""The order of a folder, against a list that is sorted anew each time."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.client import arrived as module
from spoolrunner.client.arrived import Arrived, Came

NAMES = st.sampled_from([f"job-{number:02}" for number in range(40)])
TIMES = st.integers(0, 6)  # few, so that many names came at one moment
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), NAMES, TIMES),
        st.tuples(st.just("add"), NAMES, TIMES),
        st.tuples(st.just("remove"), NAMES, TIMES),
    ),
    max_size=120,
)


def after(steps: list[tuple[str, str, int]]) -> tuple[Arrived, dict[str, int | None]]:
    """A folder after these steps, and what is known of each name."""
    made, known = Arrived(), {}
    for verb, name, at in steps:
        if verb == "place":
            assert made.place(name, at) is (known.get(name) != at)
            known[name] = at
        elif verb == "add":
            assert made.add(name) is (name not in known)
            known.setdefault(name, None)
        else:
            assert made.remove(name) is (name in known)
            known.pop(name, None)
    return made, known


@given(STEPS, TIMES, NAMES)
def test_it_is_in_order_whatever_comes_and_goes(steps, at, name) -> None:
    """After any names that came, moved and went, all with a time are in the order of time and name, and are counted so."""
    before, module._MOST = module._MOST, 4
    try:
        made, known = after(steps)
    finally:
        module._MOST = before
    placed = sorted(Came(moment, name) for name, moment in known.items() if moment is not None)
    moment = Came(at, name)
    assert len(made) == len(known)
    assert made.placed == len(placed)
    assert sorted(made.names()) == sorted(known)
    assert all(name in made for name in known)
    assert list(made.older(None)) == placed[::-1]
    assert list(made.older(moment)) == [came for came in placed if came < moment][::-1]
    assert list(made.since(moment)) == [came for came in placed if came >= moment]
    assert made.count_before(moment) == sum(came < moment for came in placed)


def test_a_page_takes_no_more_than_its_names() -> None:
    """Names are given one by one: the first of a hundred thousand cost no walk through the others."""
    made = Arrived()
    for number in range(100_000):
        made.place(f"{number:06}", number)
    assert [came.id for came in islice(made.older(None), 2)] == ["099999", "099998"]
    assert max(len(block.names) for block in made._blocks) <= module._MOST
    assert len(made._blocks) < 2 * 100_000 / module._MOST


def test_blocks_that_are_empty_go() -> None:
    """What was filled and emptied holds nothing any more."""
    made = Arrived()
    for number in range(2000):
        made.place(str(number), number % 7)
    for number in range(2000):
        assert made.remove(str(number))
    assert (len(made), made.placed, made._blocks, made._firsts) == (0, 0, [], [])

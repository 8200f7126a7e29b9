"""The register of what is put off: why, until when, and for how long already."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.dispatch.postponed import KEEPS_FROM_START, Register, Why

NOW = 1000.0
KEY = ("method", "app.Report", "build")


@pytest.fixture
def register() -> Register:
    return Register()


def test_putting_off(register) -> None:
    """What is put off has a reason and a time, and is due when that has come."""
    register.put_off("x", Why.NOT_STARTED, NOW, 2.0)
    assert register.next_in(Why.NOT_STARTED, NOW + 0.5) == 1.5
    assert register.due(Why.NOT_STARTED, NOW + 1.9) == []
    assert register.due(Why.NOT_STARTED, NOW + 2.0) == ["x"]
    assert register.next_in(Why.NOT_STARTED, NOW + 5.0) == 0.0
    assert [(entry.why, entry.until) for entry in register.reasons("x", NOW)] == [(Why.NOT_STARTED, NOW + 2.0)]
    assert register.reasons("x", NOW + 2.0) == []


def test_putting_off_again(register) -> None:
    """What is put off again for the same reason is counted, and remembers since when."""
    for number in range(3):
        register.put_off("x", Why.NOT_RESOLVED, NOW + number, 0.5)
    entry = register.get("x", Why.NOT_RESOLVED)
    assert entry is not None
    assert (entry.since, entry.until, entry.times) == (NOW, NOW + 2.5, 3)
    assert register.times("x", Why.NOT_RESOLVED) == 3
    register.clear("x", Why.NOT_RESOLVED)
    assert register.times("x", Why.NOT_RESOLVED) == 0


def test_several_reasons(register) -> None:
    """A job may be put off for several reasons at once: all are told, and the longest counts."""
    register.put_off("x", Why.NOT_STARTED, NOW, 8.0)
    register.put_off("x", Why.BEHIND_ANOTHER, NOW, 0.5)
    assert {entry.why for entry in register.reasons("x", NOW)} == {Why.NOT_STARTED, Why.BEHIND_ANOTHER}
    assert register.seconds_left("x", NOW + 1, *KEEPS_FROM_START) == 7.0
    assert register.seconds_left("y", NOW, *KEEPS_FROM_START) == 0.0


def test_waiting_for_a_key(register) -> None:
    """What waits for a key has no time, and is given back, once, when the key is free."""
    register.wait_for("x", Why.METHOD_BUSY, NOW, KEY)
    register.wait_for("y", Why.METHOD_BUSY, NOW, KEY)
    register.wait_for("z", Why.ID_BUSY, NOW, ("id", "z"))
    assert register.count(Why.METHOD_BUSY, Why.ID_BUSY) == 3
    assert [entry.until for entry in register.reasons("x", NOW + 1e9)] == [math.inf]
    register.clear("y", *Why)
    assert register.free(KEY) == ["x"]
    assert register.free(KEY) == []
    assert register.ids() == {"z"}


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put_off"), st.sampled_from("abc"), st.sampled_from(Why), st.integers(0, 5)),
        st.tuples(st.just("wait_for"), st.sampled_from("abc"), st.sampled_from(Why), st.sampled_from("kl")),
        st.tuples(st.just("clear"), st.sampled_from("abc"), st.sampled_from(Why)),
        st.tuples(st.just("free"), st.sampled_from("kl")),
        st.tuples(st.just("wait"), st.integers(1, 3)),
    ),
    max_size=40,
)


@given(OPERATIONS)
def test_against_a_plain_list(operations) -> None:
    """Whatever is put off, cleared and freed in any order, the register answers as a list of (id, reason, until) would."""
    register, plain, now = Register(), {}, 0.0
    for verb, *given_ in operations:
        if verb == "put_off":
            job_id, why, pause = given_
            register.clear(job_id, why)
            register.put_off(job_id, why, now, pause)
            plain[job_id, why] = (now + pause, None)
        elif verb == "wait_for":
            job_id, why, key = given_
            register.clear(job_id, why)
            register.wait_for(job_id, why, now, (key,))
            plain[job_id, why] = (math.inf, (key,))
        elif verb == "clear":
            register.clear(*given_)
            plain.pop(tuple(given_), None)
        elif verb == "free":
            freed = register.free((given_[0],))
            expected = [place for place, (_, key) in plain.items() if key == (given_[0],)]
            assert set(freed) == {job_id for job_id, _ in expected}
            for place in expected:
                del plain[place]
        else:
            now += given_[0]
        kept = {(entry.job_id, entry.why) for entry in register.all(now)}
        assert kept == {place for place, (until, _) in plain.items() if until > now}
        assert register.ids() == {job_id for job_id, _ in plain}

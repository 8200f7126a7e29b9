"""Trace context in meta: what is passed on, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.protocol.tracing import CARRIERS, variables

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_three() -> None:
    """Each has its variable; what else is in meta has none."""
    meta = {"traceparent": PARENT, "tracestate": "a=1,b=2", "baggage": "k=v;p=%20", "other": "x", "TRACEPARENT": "y"}
    assert variables(meta) == {"TRACEPARENT": PARENT, "TRACESTATE": "a=1,b=2", "BAGGAGE": "k=v;p=%20"}


@pytest.mark.parametrize("meta", [None, {}, {"order": 5}, [], "traceparent"])
def test_none(meta) -> None:
    """Without one there is nothing to set."""
    assert variables(meta) == {}


@pytest.mark.parametrize("value", ["", None, 5, ["x"], {}, True, "a\0", "a\nb", "ä", "x" * 8193])
def test_what_may_not_stand_in_a_variable(value) -> None:
    """It is left out, and the others are set."""
    assert variables({"traceparent": value, "baggage": "k=v"}) == {"BAGGAGE": "k=v"}


@given(st.dictionaries(st.sampled_from(sorted(CARRIERS)), st.text() | st.integers() | st.none()))
def test_any_meta(meta) -> None:
    """Whatever a stranger wrote: what comes out can be set."""
    for name, value in variables(meta).items():
        assert name in CARRIERS.values()
        assert "\0" not in value
        assert value.encode("ascii")

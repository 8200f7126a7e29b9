"""Trace context in meta: what goes in from a program by the real OpenTelemetry, what is passed on, and what is not."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.sdk.trace import TracerProvider

from spoolrunner.protocol.tracing import CARRIERS, current_trace, variables

TRACER = TracerProvider().get_tracer(__name__)
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


def test_without_a_span_nothing_goes_along() -> None:
    """A program that has loaded OpenTelemetry, and is in no span."""
    assert current_trace() == {}


def test_the_span_goes_along() -> None:
    """A job carries the span that it was enqueued in, and whoever has it can go on with that."""
    with TRACER.start_as_current_span("order") as span:
        carried = current_trace()
    ids = span.get_span_context()
    assert carried == {"traceparent": f"00-{ids.trace_id:032x}-{ids.span_id:016x}-{ids.trace_flags:02x}"}
    remote = trace.get_current_span(propagate.extract(carried)).get_span_context()
    assert (remote.trace_id, remote.span_id, remote.is_remote) == (ids.trace_id, ids.span_id, True)
    assert variables(carried) == {"TRACEPARENT": carried["traceparent"]}


def test_baggage_goes_along() -> None:
    """As the propagators write it."""
    token = context.attach(baggage.set_baggage("customer", "a b"))
    try:
        assert current_trace() == {"baggage": "customer=a+b"}
    finally:
        context.detach(token)


def test_a_propagator_that_fails_is_a_warning(monkeypatch) -> None:
    """No job is lost for it."""

    def fail(carrier: dict) -> None:
        raise RuntimeError("no context")

    monkeypatch.setattr(propagate, "inject", fail)
    with pytest.warns(RuntimeWarning, match="does not go along with the job: RuntimeError: no context"):
        assert current_trace() == {}


def test_a_program_without_opentelemetry_loads_none() -> None:
    """It is not imported for the question."""
    code = "import sys; from spoolrunner.protocol.tracing import current_trace as c; print(c(), 'opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "{} False\n"

"""The trace context of a program that enqueues a job and has loaded OpenTelemetry: it goes along in the job's `meta`."""

from __future__ import annotations

import importlib
import sys
import warnings

from spoolrunner.protocol.tracing import CARRIERS

_LOADED = "opentelemetry.context"
"""The module that every use of OpenTelemetry loads."""


def current_trace() -> dict[str, str]:
    """Return `traceparent`, `tracestate` and `baggage` of what the program does now, as far as there are such; else nothing.

    By the propagators that the program has set. One that fails is a warning: no job is lost for it.
    """
    if _LOADED not in sys.modules:
        return {}
    carrier: dict[str, str] = {}
    try:
        importlib.import_module("opentelemetry.propagate").inject(carrier)
    except Exception as error:
        problem = f"the trace context does not go along with the job: {type(error).__name__}: {error}"
        warnings.warn(problem, RuntimeWarning, stacklevel=2)
        return {}
    return {key: carrier[key] for key in CARRIERS if key in carrier}

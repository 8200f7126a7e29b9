"""Trace context in a job's `meta`: the keys of W3C Trace Context and Baggage, as OpenTelemetry writes them.

A program that enqueues puts them in where it has loaded OpenTelemetry. A job's process has them as environment variables: what
a stranger wrote there is passed on only where it may stand in one.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Mapping

CARRIERS = {"traceparent": "TRACEPARENT", "tracestate": "TRACESTATE", "baggage": "BAGGAGE"}
"""The key in `meta` -> the name of the variable."""
_MOST = 8192
"""Characters, of which W3C Baggage lets a list have so many bytes; each program that is started has to carry them."""
_LOADED = "opentelemetry.context"
"""The module that every use of OpenTelemetry loads."""


def current_trace() -> dict[str, str]:
    """Return `traceparent`, `tracestate` and `baggage` of what this program does now, as far as there are such; else nothing.

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


def variables(meta: object) -> dict[str, str]:
    """Return the environment variables for the trace context in `meta`; empty without one.

    A value is left out that is no text of printable ASCII, or longer than 8192 characters: `meta` may hold anything.
    """
    if not isinstance(meta, Mapping):
        return {}
    given = {name: meta.get(key) for key, name in CARRIERS.items()}
    return {name: value for name, value in given.items() if isinstance(value, str) and _fits(value)}


def _fits(value: str) -> bool:
    return 0 < len(value) <= _MOST and value.isascii() and value.isprintable()

"""The error that is recorded for an attempt whose process died before it could record its outcome."""

from __future__ import annotations

from spoolrunner.spool import record
from spoolrunner.spool.settling_rules import Known
from spoolrunner.system import processes


def error(known: Known) -> dict[str, str]:
    """Return the error for the attempt: why the dispatcher ended it, if it did, and how its process ended."""
    return record.error("ProcessEnded", "; ".join(filter(None, [known.note, _end(known)])))


def _end(known: Known) -> str:
    if known.signal is not None:
        return f"the process was ended by {processes.signal_name(known.signal)} before it could record its outcome"
    if known.exit_status is not None:
        return f"the process ended with status {known.exit_status} before it could record its outcome"
    return "the process is gone and left no record of its outcome"

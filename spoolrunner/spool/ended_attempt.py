"""An attempt that is over, as it will stand in the record: what its process left, or how it died without leaving anything."""

from __future__ import annotations

from typing import Any

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.states import Outcome
from spoolrunner.spool import record
from spoolrunner.spool.settling_rules import Known
from spoolrunner.spool.traces import LeftOutcome, Marker
from spoolrunner.system import processes
from spoolrunner.system.clock import format_time


def made_of(marker: Marker, left: LeftOutcome | None, known: Known, now: float) -> tuple[dict[str, Any], Any]:
    """Return the attempt that began with this start marker, without its verdict, and its result, None without one.

    `left` is what its process left, None if that is nothing; `now` is in seconds since 1970.
    """
    facts: dict[str, Any] = {} if known.usage is None else known.usage._asdict()
    facts["pid"] = marker.pid or None
    started_at = marker.started_at or format_time(now)
    if left is None:
        facts |= {"exit_status": known.exit_status, "signal": known.signal, "error": error(known)}
        return record.attempt(marker.attempt, known.outcome_of(None), started_at, now, **facts), None
    facts |= {"exit_status": left.exit_status, "error": left.error, "result_dropped": left.result_dropped}
    if left.outcome == Outcome.SUCCEEDED:
        facts["exit_status"] = 0
    result = None
    if left.result is not None:
        try:
            result = jsontext.decode_value(left.result, "result")
        except JobFormatError as fault:
            facts["result_dropped"] = str(fault)
    made = record.attempt(marker.attempt, known.outcome_of(left), started_at, now, **facts)
    return {**made, "ended_at": left.ended_at}, result


def error(known: Known) -> dict[str, str]:
    """Return the error for the attempt: why the dispatcher ended it, if it did, and how its process ended."""
    if known.outcome is Outcome.CANCELLED:
        return record.error("Cancelled", "by request")  # how its process ended says nothing more: we ended it
    return record.error("ProcessEnded", "; ".join(filter(None, [known.note or _stop(known), _end(known)])))


def _stop(known: Known) -> str:
    is_stopped = known.outcome is None and known.outcome_of(None) is Outcome.INTERRUPTED
    return "the dispatcher was told to stop, too" if is_stopped else ""


def _end(known: Known) -> str:
    if known.signal is not None:
        return f"the process was ended by {processes.signal_name(known.signal)} before it could leave its outcome"
    if known.exit_status is not None:
        return f"the process ended with status {known.exit_status} before it could leave its outcome"
    return "the process is gone and left no outcome"

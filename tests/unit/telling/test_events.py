"""Events: each is worded in one place, and counted where it counts."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from spoolrunner.protocol.states import Outcome, Verdict
from spoolrunner.telling import events, troubles
from spoolrunner.telling.actions import Acted
from spoolrunner.telling.events import Recorded
from spoolrunner.telling.line_format import Entry, Kind, Who, line
from spoolrunner.telling.scheduled import SlotPublished, SlotsSkipped

AT = 1_800_000_000.0
WHO = Who("x", "app.Report", "build", 2, 4)
VALUES = {
    "who": WHO,
    "id": "x",
    "outcome": Outcome.CANCELLED,
    "verdict": Verdict.FAILED,
    "duration": 1.5,
    "grace": 30.0,
    "pause": 2.0,
    "seconds": 1.25,
    "next_run_at": AT,
    "running": 3,
    "pid": 5,
    "status": 1,
}
MADE = {**vars(events), **vars(troubles)}.values()
KINDS = [kind for kind in MADE if dataclasses.is_dataclass(kind) and kind is not Entry]


def example(kind: type) -> events.Event:
    """An event of that kind, with something in each of its fields."""
    return kind(**{field.name: VALUES.get(field.name, f"the {field.name}") for field in dataclasses.fields(kind)})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_event_is_a_line_that_shows_its_fields(kind) -> None:
    """Each event is one printable line, and everything it holds can be found there, but for a traceback."""
    event = example(kind)
    text = line(event.entry(AT))
    assert text.isprintable()
    for field in dataclasses.fields(kind):
        value = VALUES.get(field.name, f"the {field.name}")
        shown = WHO.id if field.name == "who" else f"{value:g}" if isinstance(value, float) else str(value)
        assert field.name in ("traceback", "next_run_at", "due_at") or shown in text, field.name


def test_every_kind_of_line_is_made() -> None:
    """There is no kind of line that no event has."""
    made = {example(kind).entry(AT).kind for kind in KINDS}
    made |= {Recorded(WHO, Outcome.SUCCEEDED, Verdict.DONE, 1.0).entry(AT).kind}
    made |= {Acted("web", "spoolrunner pause").entry(AT).kind}
    made |= {SlotPublished("x", "nightly").entry(AT).kind, SlotsSkipped("nightly", 0, 0, 1, "late").entry(AT).kind}
    assert made == set(Kind)


@pytest.mark.parametrize(
    ("outcome", "verdict", "kind"),
    [
        (Outcome.SUCCEEDED, Verdict.DONE, Kind.COMPLETED),
        (Outcome.FAILED, Verdict.RETRY, Kind.FAILED),
        (Outcome.CRASHED, Verdict.FAILED, Kind.FAILED),
        (Outcome.REJECTED, Verdict.FAILED, Kind.REFUSED),
    ],
)
def test_how_an_attempt_ended(outcome, verdict, kind) -> None:
    """An attempt that its own process refused is a refusal, like one that was refused before it started."""
    assert Recorded(WHO, outcome, verdict, None).entry(AT).kind is kind


def test_a_listener_takes_any_event() -> None:
    """What a listener is called with is in its type: an event, and its time in seconds."""
    assert typing.get_args(events.Listener)[0] == [events.Event, float]


def test_a_result_that_was_dropped_is_logged() -> None:
    """The line of a job that is done says why its value is missing, and nothing of that where it is there."""
    done = Recorded(WHO, Outcome.SUCCEEDED, Verdict.DONE, 1.0, result_dropped="set is no JSON")
    assert "result_dropped: set is no JSON" in line(done.entry(AT))
    assert "dropped" not in line(Recorded(WHO, Outcome.SUCCEEDED, Verdict.DONE, 1.0).entry(AT))

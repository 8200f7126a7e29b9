"""The judge of power cuts sees what it is there for: steps, dependants, jobs of failures and slots that went wrong."""

from __future__ import annotations

import json

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.spool import schedule_notes
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.schedule_notes import Note
from tests.crash.power_features import SCHEDULE, FeatureLedger
from tests.crash.power_ledger import given

PIPE = "pipe"
SLOT = f"{SCHEDULE}.20261128T070000Z"


@pytest.fixture
def layout(tmp_path) -> Layout:
    made = Layout(str(tmp_path / "spool"))
    Spool(made).make()
    for folder in (made.steps, made.schedules):
        (tmp_path / folder).mkdir(exist_ok=True)
    return made


@pytest.fixture
def ledger(layout) -> FeatureLedger:
    return FeatureLedger(layout, PIPE, 0)


def lay(layout: Layout, state: State, job_id: str) -> None:
    """Lay the file of a job that was run once into that folder."""
    made = {
        "number": 1, "started_at": "2026-11-28T07:00:00Z", "ended_at": "2026-11-28T07:00:01Z", "host": "here", "pid": 1,
        "outcome": "succeeded" if state is State.DONE else "failed", "verdict": str(state),
    }  # fmt: skip
    raw = {"job": "a.b", "method": "c", "params": given(job_id, PIPE), "attempts": [made]}
    with open(layout.job(state, job_id), "w", encoding="utf-8") as stream:
        json.dump(raw, stream)


def found(ledger: FeatureLedger) -> tuple[int, int]:
    """What was lost, and what was double."""
    return ledger.found["lost"], ledger.found["double"]


@pytest.mark.parametrize(
    ("lines", "blamed"),
    [
        (["made x first", "handed-back x first", "made x second"], (0, 0)),
        (["made x first", "made x first"], (0, 0)),
        (["made x first", "handed-back x first", "made x first"], (0, 1)),
        (["started e-s 1", "started e-d 1", "started e-a 1"], (0, 0)),
        (["started e-s 1", "started e-a 1"], (0, 1)),
        (["started e-s 1", "started e-d 1", "started e-a 1", "started e-d 2"], (0, 1)),
    ],
)
def test_lines(ledger, lines: list[str], blamed: tuple[int, int]) -> None:
    """Steps and dependants are judged by the order in which they tell of themselves."""
    for line in lines:
        ledger.hear(line)
    assert found(ledger) == blamed, ledger.stories


@pytest.mark.parametrize(
    ("lies", "blamed"),
    [
        ({"e-d": State.FAILED, "e-d.failed.1": State.DONE}, (0, 0)),
        ({"e-d": State.FAILED}, (1, 0)),
        ({"e-d": State.FAILED, "e-d.failed.1": State.DONE, "e-d.failed.2": State.DONE}, (0, 1)),
        ({"e-d": State.DONE, "e-d.failed.1": State.DONE}, (0, 1)),
        ({"e-d.failed.1": State.DONE}, (0, 1)),
    ],
)
def test_told_of_once(ledger, layout, lies: dict[str, State], blamed: tuple[int, int]) -> None:
    """A job that failed for good has one job that tells of it, another one has none."""
    for job_id, state in lies.items():
        lay(layout, state, job_id)
    ledger.judge_recovery()
    assert found(ledger) == blamed, ledger.stories


def test_steps_left_behind(ledger, layout) -> None:
    """The steps of a job that is done are gone, those of one that failed are not."""
    for job_id, state in {"e-1": State.DONE, "e-2": State.FAILED}.items():
        lay(layout, state, job_id)
        open(layout.step_file(job_id), "wb").close()
    ledger.judge_recovery()
    assert found(ledger) == (1, 0), ledger.stories
    assert "e-1" in ledger.stories[0]


def test_slots(ledger, layout) -> None:
    """A slot that was noted has its job, until that is pruned; then it has none any more."""
    schedule_notes.write(layout, SCHEDULE, Note("every 1s", 1_795_849_200, 1_795_849_200, SLOT), fsync=False)
    ledger.judge_recovery()
    assert found(ledger) == (1, 0), ledger.stories
    lay(layout, State.DONE, SLOT)
    ledger.judge_recovery()
    ledger.judge_recovery()
    assert found(ledger) == (1, 0), ledger.stories
    lay(layout, State.DONE, SLOT)
    ledger.hear(f"started {SLOT} 1")
    ledger.judge_recovery()
    assert found(ledger) == (1, 2), ledger.stories

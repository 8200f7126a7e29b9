"""Whether a due job may start: go, or wait for a key that another job's end frees."""

from __future__ import annotations

import pytest

from spoolrunner.dispatch.admission import Admission
from spoolrunner.dispatch.postponed import Why
from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.protocol.states import State


@pytest.fixture
def rooms(furnished) -> Rooms:
    return furnished(allowed_jobs={"app.Report": {"build": {"concurrency": 2}, "send": {}}})


def candidate(rooms, drop, job_id: str, method: str = "build"):
    drop(State.PENDING, job_id, {"method": method})
    found = rooms.intake.examine(job_id)
    assert found is not None
    return found


def test_nothing_in_the_way(rooms, drop) -> None:
    """A job that meets no limit may go."""
    assert rooms.admission.ask(candidate(rooms, drop, "x")) is None


def test_a_method_at_its_limit(rooms, drop) -> None:
    """A job whose method runs as often as it may waits for the key of the method; another method is not kept by that."""
    for job_id in ("a", "b"):
        assert rooms.starter.begin(candidate(rooms, drop, job_id))
    wait = rooms.admission.ask(candidate(rooms, drop, "c"))
    assert wait is not None
    why, key = wait
    assert why is Why.METHOD_BUSY
    assert key in rooms.admission.freed_by(rooms.running.all()[0])
    assert rooms.admission.ask(candidate(rooms, drop, "d", "send")) is None


def test_an_id_that_runs(rooms, drop) -> None:
    """A second job of an id that runs waits for that id."""
    assert rooms.starter.begin(candidate(rooms, drop, "x", "send"))
    wait = rooms.admission.ask(candidate(rooms, drop, "x", "send"))
    assert wait is not None
    assert wait[0] is Why.ID_BUSY
    assert wait[1] in rooms.admission.freed_by(rooms.running.all()[0])


def test_ids_that_are_one_to_the_file_system(rooms, drop) -> None:
    """Where the file system does not tell capitals from small letters, the key of both spellings is one."""
    admission = Admission(rooms.running, str.lower)
    assert rooms.starter.begin(candidate(rooms, drop, "X", "send"))
    (attempt,) = rooms.running.all()
    assert ("id", "x") in admission.freed_by(attempt)

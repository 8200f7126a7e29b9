"""The pauses of methods and groups: what they hold up, and what is said of one that means nothing."""

from __future__ import annotations

import pytest

from spoolrunner.dispatch.describe import describe
from spoolrunner.dispatch.part_pauses import PartPauses
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests
from spoolrunner.telling.pauses import PartPaused, PartResumed, PauseOfNothing


@pytest.fixture
def pauses(rooms) -> PartPauses:
    return PartPauses(rooms.config, rooms.admission, rooms.reporter)


def test_comes_and_goes(pauses, rooms, events) -> None:
    """A pause is reported when it comes and when it goes, and holds meanwhile."""
    pauses.obey(frozenset({"app.Report.build", "group-mail"}))
    pauses.obey(frozenset({"app.Report.build", "group-mail"}))
    assert rooms.admission.paused == {"app.Report.build", "group-mail"}
    pauses.obey(frozenset({"group-mail"}))
    assert rooms.admission.paused == {"group-mail"}
    assert events == [PartPaused("app.Report.build"), PartPaused("group mail"), PartResumed("app.Report.build")]


def test_of_nothing(pauses, rooms, events) -> None:
    """A typing error pauses nothing, and is said with what was probably meant, as long as the file lies there."""
    pauses.obey(frozenset({"app.Reprot.build", "group-a b"}))
    assert rooms.admission.paused == frozenset()
    assert [type(event) for event in events] == [PauseOfNothing] * 2
    assert pauses.troubles[0] == (
        "control/pause-app.Reprot.build: no method in allowed_jobs is called that (did you mean 'app.Report.build'?)"
    )
    pauses.obey(frozenset())
    assert (pauses.troubles, len(events)) == ([], 2)


def test_schedules_are_not_ours(pauses, rooms, events) -> None:
    """A pause of a schedule holds up no job, and is no error."""
    pauses.obey(frozenset({"schedule-nightly"}))
    assert (rooms.admission.paused, events, pauses.troubles) == (frozenset(), [], [])


def test_in_a_dispatcher(service, drop, executor, spool) -> None:
    """With control/pause-METHOD its jobs wait, the others start, and the status says which, why and how many."""
    requests.pause_part(spool.layout, "app.Report.build")
    for job_id, method in (("a", "build"), ("b", "send"), ("c", "build")):
        drop(State.PENDING, job_id, {"method": method})
    service.turn()
    service.turn()
    assert executor.told == [("start", "b")]
    (entry,) = describe(service)["held"]
    assert (entry["by"], entry["name"], entry["waiting"], entry["first"]) == ("pause", "app.Report.build", 2, "a")
    requests.resume_part(spool.layout, "app.Report.build")
    service.control.is_due = True
    service.turn()
    service.turn()
    assert executor.told == [("start", "b"), ("start", "a")]


def test_another_configuration(pauses, rooms, furnished, events) -> None:
    """A pause of a method that another config.json brings holds from then on, and one of a method that goes is named."""
    pauses.obey(frozenset({"app.Report.shred", "app.Report.build"}))
    assert rooms.admission.paused == {"app.Report.build"}
    del events[:]
    rooms.config.become(furnished(allowed_jobs={"app.Report": ["shred"]}).config)
    pauses.reconfigure(rooms.config)
    assert rooms.admission.paused == {"app.Report.shred"}
    assert [text.partition(":")[0] for text in pauses.troubles] == ["control/pause-app.Report.build"]

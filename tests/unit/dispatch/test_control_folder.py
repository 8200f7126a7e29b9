"""The folder control/: what lies there is passed on, in this order: stop, pause, cancels."""

from __future__ import annotations

import os

import pytest

from spoolrunner.dispatch.control_folder import Control
from spoolrunner.dispatch.phases import TABLE, Phase, Request
from spoolrunner.protocol.states import State
from spoolrunner.spool import requests


@pytest.fixture
def asked() -> list:
    return []


@pytest.fixture
def asked_parts() -> list:
    return []


@pytest.fixture
def control(rooms, asked, asked_parts) -> Control:
    phase = [Phase.SERVING]

    def ask(request: Request) -> Phase:
        asked.append(request)
        phase[0], _ = TABLE[phase[0], request]
        return phase[0]

    return Control(rooms.spool.layout, rooms.cancelling, ask, lambda: asked.append("reload"), asked_parts.append)


def test_an_empty_folder_asks_for_nothing(control, asked) -> None:
    """Nothing is asked, and the look is done with."""
    assert control.is_due
    control.obey(Phase.SERVING)
    assert (asked, control.is_due) == ([], False)


def test_parts_of_the_work(control, spool, asked, asked_parts) -> None:
    """What is paused by itself is passed on as it is named, each time, and is no pause of everything."""
    requests.pause_part(spool.layout, "group-mail")
    control.obey(Phase.SERVING)
    requests.resume_part(spool.layout, "group-mail")
    control.obey(Phase.SERVING)
    assert (asked_parts, asked) == ([frozenset({"group-mail"}), frozenset()], [])


@pytest.mark.parametrize(("leave", "request_"), [(False, Request.STOP), (True, Request.LEAVE)])
def test_stop(control, spool, asked, leave, request_) -> None:
    """A stop is asked for once, as what the file says, and the file goes."""
    requests.request_stop(spool.layout, leave)
    control.obey(Phase.SERVING)
    assert asked == [request_]
    assert not os.path.exists(spool.layout.stop)


def test_a_stop_of_one_that_stops_hurries_nobody(control, spool, asked) -> None:
    """A file in control/ is no second stop: only a signal or a second call hurries."""
    requests.request_stop(spool.layout, False)
    control.obey(Phase.STOPPING)
    assert asked == []


@pytest.mark.parametrize(
    ("there", "phase", "expected"),
    [
        (True, Phase.SERVING, [Request.PAUSE]),
        (True, Phase.PAUSED, []),
        (False, Phase.PAUSED, [Request.RESUME]),
        (False, Phase.SERVING, []),
        (False, Phase.BLOCKED_PAUSED, [Request.RESUME]),
    ],
)
def test_pause(control, spool, asked, there, phase, expected) -> None:
    """A pause is asked for when its file appears, and its end when that goes."""
    if there:
        requests.pause(spool.layout)
    control.obey(phase)
    assert asked == expected


def test_reload(control, spool, asked) -> None:
    """To read config.json again is asked for once a look, whoever removes the file; a folder of that name asks for nothing."""
    os.mkdir(spool.layout.reload)
    control.obey(Phase.SERVING)
    assert asked == []
    os.rmdir(spool.layout.reload)
    with open(spool.layout.reload, "wb"):
        control.obey(Phase.BLOCKED)
    assert asked == ["reload"]


def test_cancels(control, rooms, drop, places, spool) -> None:
    """Every cancel that lies there is carried out."""
    for job_id in ("a", "b"):
        drop(State.PENDING, job_id)
        requests.request_cancel(spool.layout, job_id)
    control.obey(Phase.SERVING)
    assert (places().failed, os.listdir(spool.layout.control)) == (["a", "b"], [])

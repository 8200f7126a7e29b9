"""The dispatcher around its service: the spool is taken, served by what it was given, and given up."""

from __future__ import annotations

import pytest

from spoolrunner.dispatch.holder import Holder
from spoolrunner.dispatch.inbox import make_inbox
from spoolrunner.dispatch.loop import Dispatcher
from spoolrunner.dispatch.surroundings import Surroundings
from spoolrunner.dispatch.wishes import Wish
from spoolrunner.errors import SpoolBusyError, StartError
from spoolrunner.spool import requests
from spoolrunner.system.clock import SYSTEM
from spoolrunner.system.machine import Machine
from spoolrunner.telling.events import DispatcherStarted, StaleStopRemoved


@pytest.fixture
def dispatcher(config, spool, executor, events) -> Dispatcher:
    executor.close = executor.renew = lambda: None
    surroundings = Surroundings(executor=lambda plan, report: executor, inbox=make_inbox())
    return Dispatcher(config(spool=spool.layout.root), [lambda event, _: events.append(event)], surroundings)


@pytest.fixture
def another(spool):
    """Another holder of the spool."""
    holder = Holder(spool.layout, SYSTEM, Machine(), "boot")
    holder.begin()
    yield holder
    holder.end()


def test_drain_of_an_empty_spool(dispatcher, spool, events) -> None:
    """It takes the spool, finds nothing, and gives it up; a stop that was left from before does not count."""
    requests.request_stop(spool.layout, False)
    dispatcher.run(drain=True)
    kinds = [type(event) for event in events]
    assert kinds.index(StaleStopRemoved) < kinds.index(DispatcherStarted)
    assert Holder(spool.layout, SYSTEM, Machine(), "boot").begin(standby=True) is True


def test_a_spool_that_is_served(dispatcher, another) -> None:
    """A second dispatcher is refused, and serves nothing."""
    with pytest.raises(SpoolBusyError):
        dispatcher.run()
    assert dispatcher.service is None
    assert dispatcher.is_paused is False


def test_a_stop_while_it_stands_by(dispatcher, another, events) -> None:
    """One that waits for the spool of another can be asked to stop."""
    dispatcher.request(Wish.STOP)
    dispatcher.run(standby=True)
    assert (dispatcher.service, events) == (None, [])


def test_no_such_executor(config, spool) -> None:
    """When the executor cannot be made the spool is given up again."""

    def make(plan, report):
        raise StartError("no such executor")

    dispatcher = Dispatcher(config(spool=spool.layout.root), surroundings=Surroundings(executor=make))
    with pytest.raises(StartError):
        dispatcher.run()
    assert Holder(spool.layout, SYSTEM, Machine(), "boot").begin(standby=True) is True

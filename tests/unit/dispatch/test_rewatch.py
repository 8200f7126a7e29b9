"""File events that stopped, or could not be had, are tried again, and named meanwhile."""

from __future__ import annotations

import math
import os
import sys
import threading

import pytest

from spoolrunner.dispatch import watch
from spoolrunner.dispatch.rewatch import FIRST_PAUSE, LONGEST_PAUSE, Rewatch
from spoolrunner.dispatch.watch import CodeWatch, Watch
from spoolrunner.telling.events import Weakness
from spoolrunner.telling.troubles import EventsComeAgain
from tests.unit.dispatch.test_watch import PATIENCE

NO_THREAD = "can't start new thread"


class FlakyWatch:
    """A watch that has a reason not to work until it is taken away."""

    def __init__(self, reason: str) -> None:
        self.cause = self.reason = reason
        self.tries = 0

    def restart(self) -> None:
        self.tries += 1
        self.reason = self.cause


def test_it_is_tried_again_ever_more_rarely() -> None:
    """The reason is reported once; the pauses grow to a minute; the return is reported, and what was missed is looked for."""
    told, again = [], []
    flaky = FlakyWatch("broken")
    chore = Rewatch(flaky, told.append, lambda: again.append(1))
    now, pauses = 100.0, []
    for _ in range(9):
        chore.work(now)
        chore.work(now)
        pauses.append(chore.next_in(now))
        now += pauses[-1]
    assert pauses == [FIRST_PAUSE * 2**n for n in range(6)] + [LONGEST_PAUSE] * 3
    assert (flaky.tries, told, again) == (9, [Weakness("broken")], [])
    flaky.cause = ""
    chore.work(now)
    assert (told[1:], again, chore.next_in(now)) == ([EventsComeAgain()], [1], math.inf)
    flaky.cause = flaky.reason = "broken again"
    assert chore.next_in(now) == math.inf, "what was well is looked at once a second"
    now += 1
    assert chore.next_in(now) == 0.0
    chore.work(now)
    assert told[2:] == [Weakness("broken again")]
    assert chore.next_in(now) == FIRST_PAUSE


def test_a_watch_that_works_is_left_alone() -> None:
    """Nothing is done, and nobody is woken, while there is no reason."""
    flaky = FlakyWatch("")
    chore = Rewatch(flaky, lambda event: pytest.fail("nothing is to be reported"), lambda: None)
    chore.work(1.0)
    assert (flaky.tries, chore.next_in(1.0)) == (0, math.inf)


@pytest.fixture
def no_thread(monkeypatch):
    """Let every thread but the first `allowed` fail to start, as where the system gives no more; returns how to set that."""
    start = threading.Thread.start

    def fail_after(allowed: int) -> None:
        left = [allowed]

        def limited(self) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise RuntimeError(NO_THREAD)
            start(self)

        monkeypatch.setattr(threading.Thread, "start", limited)

    yield fail_after
    monkeypatch.setattr(threading.Thread, "start", start)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0


@pytest.fixture(params=["arrivals", "code"])
def made(request, tmp_path):
    """A watch of either kind, and a function that makes something happen that it is to hear of."""
    (tmp_path / "pending").mkdir()
    (tmp_path / "control").mkdir()
    heard = threading.Event()
    path = tmp_path / "pending" / "x.py"
    if request.param == "arrivals":
        watching = Watch(str(tmp_path / "pending"), str(tmp_path / "control"), heard.set)
    else:
        watching = CodeWatch(heard.set)
        watching._files = [str(path)]

    def is_heard() -> bool:
        if request.param == "arrivals":
            watching.arrivals.take()
        heard.clear()
        path.write_text("x")
        return heard.wait(PATIENCE)

    yield watching, is_heard
    watching.stop()


@pytest.mark.parametrize("allowed", range(4))
def test_no_thread_to_be_had(made, no_thread, allowed) -> None:
    """Whichever thread cannot be had, it says so, leaves neither threads nor open files, and works when there are some."""
    watching, is_heard = made
    before = threading.active_count(), open_files()
    no_thread(allowed)
    watching.start()
    if watching.has_events:
        pytest.skip("it has no more threads than that")
    assert NO_THREAD in watching.reason
    assert (threading.active_count(), open_files()) == before
    no_thread(99)
    watching.restart()
    assert (watching.has_events, watching.reason) == (True, "")
    assert is_heard()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_replaced(made, tmp_path, monkeypatch) -> None:
    """When any of its threads dies by an error, the reason says so, and a restart makes it hear again."""
    watching, is_heard = made
    watching.start()
    assert is_heard()
    observer = watching._observer
    (emitter,) = (one for one in observer.emitters if one.watch.path.endswith("pending"))
    monkeypatch.setattr(emitter, "queue_events", lambda *_: 1 / 0)
    (tmp_path / "pending" / "y.py").touch()  # so that the emitter comes to its next turn
    emitter.join(PATIENCE)
    assert not watching.has_events
    assert "died" in watching.reason
    monkeypatch.undo()
    watching.restart()
    assert watching.reason == ""
    assert is_heard()


def test_without_code_there_is_nothing_to_watch() -> None:
    """A watch of no files has no threads, and nothing is wrong with it."""
    before = threading.active_count()
    watching = CodeWatch(lambda: None)
    watching.watch([])
    assert (watching.has_events, watching.reason, threading.active_count()) == (True, "", before)
    watching.stop()


def test_the_kinds_of_observers(monkeypatch, tmp_path) -> None:
    """A code watch hears that events were dropped, and takes that for a change."""
    if sys.platform != "linux":
        pytest.skip("only Linux tells of dropped events")
    lost = []
    real = watch._observer
    monkeypatch.setattr(watch, "_observer", lambda callback: lost.append(callback) or real(callback))
    changes = []
    watching = CodeWatch(lambda: changes.append(1))
    watching.watch([str(tmp_path / "x.py")])
    lost[0]()
    watching.stop()
    assert changes == [1]

"""The work on a spool that is held: what is done in a turn, in which order, and what follows when the disk refuses.

The chores of a turn stand in lists: those that touch no file of the spool, and those that do, which rest while it is blocked. A
full disk or a failing call blocks: nothing is claimed, a write is tried once a second, and work goes on by itself. That no job
can be started (`readiness`) keeps nothing else from its work.
"""

from __future__ import annotations

import os
from functools import partial
from typing import NamedTuple

import spoolrunner
from spoolrunner.dispatch.chores import (
    Arrivals,
    Chore,
    CutLogs,
    Do,
    Once,
    Starts,
    WriteStatus,
    those_that_wake,
    wait_for,
)
from spoolrunner.dispatch.control_folder import Control
from spoolrunner.dispatch.describe import describe, in_figures
from spoolrunner.dispatch.finish import Finish
from spoolrunner.dispatch.ground import Ground
from spoolrunner.dispatch.holder import Holder
from spoolrunner.dispatch.obeying import Obeying
from spoolrunner.dispatch.orphaned import Orphaned
from spoolrunner.dispatch.part_pauses import PartPauses
from spoolrunner.dispatch.phases import TABLE, Answer, Phase, Request
from spoolrunner.dispatch.read_back import ReadBack
from spoolrunner.dispatch.recurring import Recurring
from spoolrunner.dispatch.reloading import Reloading
from spoolrunner.dispatch.retention import Retention
from spoolrunner.dispatch.rewatch import Rewatch
from spoolrunner.dispatch.rooms import Rooms
from spoolrunner.dispatch.scan import Scan
from spoolrunner.dispatch.stopping import Stopping
from spoolrunner.dispatch.surroundings import Surroundings
from spoolrunner.dispatch.sweep import Sweep
from spoolrunner.dispatch.taking_up import recover, stand
from spoolrunner.dispatch.watch import CodeWatch
from spoolrunner.dispatch.weaknesses import Weaknesses
from spoolrunner.dispatch.wishes import CodeLoaded, Message, Notice, Wish
from spoolrunner.executors.base import Exited, NotStarted
from spoolrunner.spool import requests
from spoolrunner.telling.events import (
    Blocked,
    DispatcherLeft,
    DispatcherStarted,
    DispatcherStopped,
    EventsDropped,
    GoingOn,
    Paused,
    Resumed,
    StatusNotWritten,
)
from spoolrunner.telling.logfiles import LogFiles
from spoolrunner.telling.minutes import Minutes
from spoolrunner.telling.status import StatusFile
from spoolrunner.telling.totals import Totals

PROBE_PERIOD = 1.0
"""Seconds between tries to write while the spool is blocked."""


class Told(NamedTuple):
    """What a dispatcher tells to files, beside status.json."""

    logfiles: LogFiles
    totals: Totals
    minutes: Minutes


class Service:
    """A dispatcher at work. What it is made of is in `rooms`; this is the order and the time of it."""

    def __init__(
        self,
        rooms: Rooms,
        holder: Holder,
        surroundings: Surroundings,
        told: Told,
        reloading: Reloading,
    ) -> None:
        self.rooms = rooms
        self.phase = Phase.SERVING
        self.problem = ""
        """Why the spool is blocked; empty when it is not."""
        self.logfiles, self.totals, self.minutes = told
        self.minutes.state_of, self.minutes.report = partial(in_figures, self), rooms.reporter.report
        self.began = rooms.clock.wall()
        self.weaknesses = Weaknesses(surroundings.weaknesses, rooms.reporter.report)
        self._layout, self._inbox = layout, inbox = rooms.config.layout, surroundings.inbox
        self.watch = surroundings.watch(layout.pending, layout.control, lambda: inbox.put(Wish.LOOK))
        self.scan = Scan(rooms.spool, rooms.intake, rooms.clock, lambda: self.watch.has_events, rooms.scan_share)
        self.part_pauses = PartPauses(rooms.config, rooms.admission, rooms.reporter)
        self._read_back = ReadBack(rooms)
        self.reloading = reloading
        reloading.listeners += [rooms.reconfigure, self.weaknesses.look, self.scan.reconfigure]
        reloading.listeners += [self.part_pauses.reconfigure, self._read_back.reconfigure]
        rooms.intake.take_newer_config = reloading.take_if_changed
        self.control = Control(layout, rooms.cancelling, self._ask, reloading.obey, self.part_pauses.obey)
        self._holder = holder
        self.ground = Ground(layout, holder, rooms.reporter, lambda: len(rooms.running) > 0, surroundings.try_renames)
        rooms.ended.check_ground = self.ground.check
        rooms.readiness.is_wanted = lambda: not self.phase.is_ending
        self._clock, self._report = rooms.clock, rooms.reporter.report
        self.code_watch = CodeWatch(rooms.executor.renew)
        self._status = StatusFile(layout, rooms.clock)
        self._stopping = Stopping(rooms)
        self._probe_again = Once(self._probe)
        self._arrivals = Arrivals(rooms.intake, rooms.clock)
        self._starts = Starts(rooms, lambda: self.phase)
        self._obeying = Obeying(self.control, rooms.cancelling, self.scan, lambda: self.phase, self.ground.check_all)
        self.recurring = Recurring(rooms, lambda: self.phase, self.ground.check_all)
        reloading.listeners.append(self.recurring.reconfigure)
        self._finish = Finish(rooms, self.scan, lambda: not self._arrivals.names and inbox.empty())
        self._sweep, self.retention = Sweep(rooms, self.scan), Retention(rooms, self.scan)
        self._is_program = surroundings.is_program
        self._make_chores()

    def _make_chores(self) -> None:
        rooms = self.rooms
        always: list[Chore] = [
            Do(lambda _: self.scan.mind_the_clock()),
            rooms.executor,
            rooms.running,
            self._stopping,
            self._probe_again,
            Orphaned(rooms.executor, rooms.running, is_program=self._is_program),
            self.reloading,
            self.minutes,
        ]
        while_blocked: list[Chore] = [Do(self._obeying.work_while_blocked, self._obeying.next_while_blocked)]
        while_working: list[Chore] = [
            rooms.readiness,
            # Before the first start: a job of a slot may only run when its slot is noted.
            self.recurring,
            # A process that ended leaves its place to the next one at once; it is settled while that one starts.
            Do(self._start),
            rooms.ended,
            self._arrivals,
            rooms.intake,
            rooms.intake.dependencies,
            rooms.admission,
            self._read_back,
            Rewatch(self.watch, self._report, lambda: self.scan.start(thorough=True)),
            Rewatch(self.code_watch, self._report, rooms.executor.renew),
            self.scan,
            self._obeying,
            CutLogs(rooms.spool, rooms.running, rooms.config),
            Do(self._start, self._starts.next_in),
            self._sweep,
            self.retention,
            Do(self.weaknesses.work),
        ]
        self._last = WriteStatus(self._status, lambda: describe(self), self._report, rooms.spool.can_write)
        self._works_always = [chore.work for chore in always]
        self._works = [chore.work for chore in while_working]
        self._works_while_blocked = [chore.work for chore in while_blocked]
        self._timed = those_that_wake([*while_working, *always, self._last])
        self._timed_while_blocked = those_that_wake([*while_blocked, *always, self._last])

    # -- from the beginning to the end

    def open(self) -> None:
        """Look at what an earlier dispatcher left, and begin to scan."""
        self.watch.start()
        self._report(DispatcherStarted(spoolrunner.__version__, os.getpid()))
        self.weaknesses.look(self.rooms.config)
        try:
            self.ground.take()
            self.rooms.readiness.work(self._clock.monotonic())  # first, since it takes a while
            recover(self.rooms, self._holder, self.recurring.forget_others)
        except OSError as error:
            self._block(error)
        self.scan.start()

    def close(self) -> None:
        """Let go of everything but the spool itself. What runs, runs on."""
        self.watch.stop()
        self.code_watch.stop()
        self._sweep.end()
        self.retention.end()
        self.rooms.executor.close()
        left = len(self.rooms.running)
        self._report(DispatcherLeft(left) if left else DispatcherStopped())
        if self._holder.holds:  # otherwise what lies there now is not for us to write to
            requests.clear_stop(self._layout)
            self.minutes.flush()
            try:
                self._status.write({**describe(self), "state": "stopped"})
            except OSError as error:
                self._report(StatusNotWritten(str(error)))

    def is_finished(self, *, drain: bool) -> bool:
        """Whether the end has come: a stop is carried out or, with `drain`, nothing is due and nothing runs."""
        return self._finish.has_come(self.phase, drain=drain)

    @property
    def unstarted(self) -> int:
        """How many jobs are due and could not be started so far."""
        return self._finish.unstarted

    # -- one turn

    def wait(self) -> float:
        """Seconds until there is something to do, if no message comes."""
        return wait_for(self._timed if self.phase.works else self._timed_while_blocked, self._clock.monotonic())

    def take(self, message: Message) -> None:
        """Note what a message says; it is acted upon in the next turn."""
        if isinstance(message, Exited):
            self.rooms.running.exited(message)
        elif isinstance(message, NotStarted):
            self.rooms.running.exited(message)
            self.rooms.readiness.failed(message.problem)
        elif isinstance(message, Notice):
            self._report(message.event)
        elif isinstance(message, CodeLoaded):
            self.code_watch.watch(message.files)
        elif message is Wish.STOP:
            self._ask(Request.STOP)
        elif message is Wish.RELOAD:
            self.reloading.ask()
        elif message is Wish.LEAVE:
            self._ask(Request.LEAVE)
        else:
            self._take_events()

    def turn(self) -> None:
        """One round of everything that is due."""
        now = self._clock.monotonic()
        for work in self._works_always:
            work(now)
        try:
            for work in self._works if self.phase.works else self._works_while_blocked:
                work(now)
            self._last.work(now)
        except OSError as error:
            self._block(error)

    def _take_events(self) -> None:
        names, overflow = self.watch.arrivals.take()
        self._arrivals.names += names
        if overflow:
            self._report(EventsDropped())
            self.scan.start(thorough=True)
        if any(self.watch.control.take()):
            self.control.is_due = True

    def _start(self, now: float) -> None:
        if self._obeying.is_due(now):
            self._holder.check()  # what is asked for comes before the next start
        elif not self.recurring.is_to_begin:
            self._starts.work(now)

    # -- phases

    def _ask(self, request: Request) -> Phase:
        """Answer a request as the table says; returns the phase that follows."""
        self.phase, answer = TABLE[self.phase, request]
        if answer is Answer.BEGIN_TO_STOP:
            self._stopping.begin()
        elif answer is Answer.HURRY:
            self._stopping.hurry()
        elif answer is Answer.REPORT and request in _REPORTS:
            self._report(_REPORTS[request])
        return self.phase

    def _block(self, error: OSError) -> None:
        pause = 0.0 if self.ground.can_be_mended else PROBE_PERIOD
        self._probe_again.at = self._clock.monotonic() + pause
        self.control.is_due = True  # what was asked for may not be done yet, and comes before the next start
        self._ask(Request.TROUBLE)
        if str(error) != self.problem:
            self.problem = str(error)
            self._report(Blocked(self.problem, pause))

    def _probe(self) -> None:
        """Try whether the spool is there, and can be written again."""
        try:
            stand(self.rooms, self.ground, self.logfiles)
            self.watch.restart()  # the folders may be others by now
            self.problem = ""
            self._ask(Request.RECOVERED)
            recover(self.rooms, self._holder, self.recurring.forget_others)
            self.scan.start()
        except OSError as again:
            self._block(again)


_REPORTS = {Request.PAUSE: Paused(), Request.RESUME: Resumed(), Request.RECOVERED: GoingOn()}

"""The loop: wait, settle, claim, start. One thread, one inbox; whatever else waits puts a value into it.

Owns when something is done, and the stopping. What is done has rooms of its own: `intake` for what waits, `attempts` for
what runs. A full disk or a failing call makes it blocked: it claims nothing, says why, tries to write once a second, and
goes on by itself.
"""

from __future__ import annotations

import os
import queue
from typing import Any

import spoolrunner
from spoolrunner.config import exposure
from spoolrunner.config.load import Config
from spoolrunner.dispatch.attempts import Attempts
from spoolrunner.dispatch.holder import Tenure
from spoolrunner.dispatch.intake import Intake
from spoolrunner.dispatch.order import Schedule
from spoolrunner.dispatch.reporter import Listener, Reporter
from spoolrunner.dispatch.watch import CodeWatch, Watch
from spoolrunner.dispatch.wishes import CodeLoaded, Notice, Wish
from spoolrunner.errors import StartError
from spoolrunner.executors.base import Exited
from spoolrunner.executors.plan import make_executor
from spoolrunner.spool import requests
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.mounts import warnings
from spoolrunner.spool.settling import Boot
from spoolrunner.system import durable, processes
from spoolrunner.system.clock import SYSTEM, Clock, format_time
from spoolrunner.system.heldfiles import HeldError
from spoolrunner.telling.events import Kind
from spoolrunner.telling.logfiles import Journal
from spoolrunner.telling.status import StatusFile

LONGEST_WAIT = 60.0
"""Seconds after which the clocks are looked at again, whatever is due: the wall clock may have jumped."""
STANDBY_POLL = 0.25
PROBE_PERIOD = 1.0
SWEEP_PERIOD = 3600.0
BUSY_SECONDS = 0.1
BUSY_SCAN_SHARE = 0.03
HURRY_GRACE = 1.0
"""Seconds between the terminate signal and the kill when a second signal says not to wait."""
_MAX_START_PAUSE = 30.0
_HINTS_A_TURN = 500


class Dispatcher:
    """The one holder of a spool. `listener`, if given, is told of every event as it is logged."""

    def __init__(self, config: Config, clock: Clock = SYSTEM, listener: Listener | None = None) -> None:
        self._config = config
        self._clock = clock
        self._inbox: queue.SimpleQueue[Wish | Exited | Notice | CodeLoaded] = queue.SimpleQueue()
        self._spool = Spool(config.layout, config.fsync)
        self._schedule = Schedule(config.priority_aging)
        self._reporter = Reporter(Journal(config.layout, config.max_log_bytes), clock, listener)
        self._intake = Intake(config, self._spool, self._schedule, clock, self._reporter.refused)
        self._watch = Watch(config.layout.pending, config.layout.control, lambda: self._inbox.put(Wish.LOOK))
        self._status = StatusFile(config.layout, clock)
        self._boot = processes.boot_id()
        self._tenure = Tenure(config, clock, self._boot)
        self._began = clock.wall()
        self._warnings: list[str] = []
        self._hints: list[str] = []
        self._paused = False
        self._control_due = True
        self._stop_wishes = 0
        self._leave = False
        self._interrupt_at: float | None = None
        self._blocked = ""
        self._blocked_until = 0.0
        self._start_failures = 0
        self._next_sweep = 0.0
        self._next_look = 0.0

    def request(self, wish: Wish) -> None:
        """Ask something of the running loop; safe from any thread and from signal handlers."""
        self._inbox.put(wish)

    @property
    def is_paused(self) -> bool:
        """Whether control/pause was there when last looked at."""
        return self._paused

    def run(self, *, drain: bool = False, standby: bool = False) -> None:
        """Dispatch until stopped or, with `drain`, until nothing is due and nothing runs.

        SpoolBusyError when another dispatcher holds the spool and `standby` does not say to wait for it;
        SpoolLayoutError when the folders are not fit.
        """
        self._spool.make()
        self._spool.check()
        if not self._take_spool(standby):
            return
        try:
            self._open()
            while not self._is_finished(drain):
                self._receive(self._wait())
                self._turn()
        finally:
            self._close()

    def _take_spool(self, standby: bool) -> bool:
        """Take the dispatcher's lock; False when we were asked to stop while waiting for it."""
        while not self._tenure.begin(standby):
            try:
                if self._inbox.get(timeout=STANDBY_POLL) in (Wish.STOP, Wish.LEAVE):
                    return False
            except queue.Empty:
                continue
        return True

    def _open(self) -> None:
        config, layout = self._config, self._config.layout
        if requests.clear_stop(layout):
            self._reporter.say(Kind.DISPATCHER, "control/stop was left from before: removed")
        self._executor = make_executor(
            config,
            self._boot,
            self._inbox.put,
            loaded=lambda files: self._inbox.put(CodeLoaded(files)),
            notice=lambda text: self._inbox.put(Notice(text)),
        )
        self._code_watch = CodeWatch(self._executor.renew)
        boot = Boot(self._boot, has_markers=self._tenure.follows_in_this_boot)
        self._attempts = Attempts(config, self._spool, self._intake, self._executor, self._reporter, self._clock, boot)
        self._watch.start()
        self._warnings = [*warnings(layout), *exposure.loose(config)]
        self._warnings += [self._watch.reason] if self._watch.reason else []
        self._reporter.say(Kind.DISPATCHER, f"started, version {spoolrunner.__version__}, pid {os.getpid()}")
        for warning in self._warnings:
            self._reporter.say(Kind.TROUBLE, warning)
        try:
            self._executor.prepare()
            self._recover()
        except (OSError, StartError) as error:
            self._block(error)
        self._intake.start_scan()

    def _close(self) -> None:
        self._watch.stop()
        if hasattr(self, "_code_watch"):
            self._code_watch.stop()
            self._executor.close()
            left = len(self._attempts.supervision)
            self._reporter.say(Kind.DISPATCHER, f"stopped{f'; {left} jobs run on' if left else ''}")
            if self._tenure.holds:  # otherwise what lies there now is not for us to write to
                requests.clear_stop(self._config.layout)
                self._write_last_status()
        self._reporter.journal.close()
        self._tenure.end()

    def _write_last_status(self) -> None:
        try:
            self._status.write({**self._describe(), "state": "stopped"})
        except OSError as error:
            self._reporter.say(Kind.TROUBLE, f"status.json could not be written: {error}")

    def _is_finished(self, drain: bool) -> bool:
        running = self._attempts.supervision
        if self._stop_wishes or self._leave:
            # What has ended but cannot be settled on a full disk is left to the next dispatcher's recovery.
            return self._leave or not len(running) or (bool(self._blocked) and running.all_exited)
        if not drain or len(running) or self._attempts.unresolved or self._blocked:
            return False
        if self._paused:
            return True
        idle = not self._intake.is_scanning and self._intake.scans_done and not self._intake.is_waiting_for_writers
        return bool(idle) and not self._hints and self._inbox.empty() and not self._schedule.due(self._clock.wall())

    def _wait(self) -> float:
        """Seconds until there is something to do, if nothing comes in."""
        if not self._blocked and (self._hints or self._control_due or self._can_start()):
            return 0.0
        now = self._clock.monotonic()
        times = [LONGEST_WAIT, self._attempts.supervision.next_step_in(), self._status.next_write_in()]
        if self._blocked:
            times += [self._blocked_until - now, self._next_look - now]
        else:
            times += [self._intake.next_work_in(), self._attempts.supervision.next_settle_in()]
            due_at = self._schedule.next_due_at()
            if due_at is not None and not self._paused:
                times.append(due_at - self._clock.wall())
        if self._attempts.unresolved:
            times.append(0.5)
        if self._interrupt_at is not None:
            times.append(self._interrupt_at - now)
        return max(0.0, min(times))

    def _receive(self, wait: float) -> None:
        """Take everything out of the inbox, waiting that long for the first."""
        try:
            value = self._inbox.get(timeout=wait) if wait > 0 else self._inbox.get_nowait()
            while True:
                self._take(value)
                value = self._inbox.get_nowait()
        except queue.Empty:
            return

    def _take(self, value: Wish | Exited | Notice | CodeLoaded) -> None:
        if isinstance(value, Exited):
            self._attempts.exited(value)
        elif isinstance(value, Notice):
            self._reporter.say(Kind.DISPATCHER, value.text)
        elif isinstance(value, CodeLoaded):
            self._code_watch.watch(value.files)
        elif value is Wish.STOP:
            self._stop()
        elif value is Wish.LEAVE:
            self._leave = True
        else:
            names, overflow = self._watch.arrivals.take()
            self._hints += names
            if overflow:
                self._reporter.say(Kind.TROUBLE, "file events were dropped: scanning pending/ instead")
                self._intake.start_scan(thorough=True)
            if any(self._watch.control.take()):
                self._control_due = True

    def _turn(self) -> None:
        """One round of everything that is due."""
        now = self._clock.monotonic()
        self._intake.mind_the_clock()
        self._attempts.watch_over()
        if self._interrupt_at is not None and now >= self._interrupt_at:
            self._interrupt_at = None
            self._attempts.supervision.interrupt_all()
        if self._blocked and now >= self._blocked_until:
            self._probe()
        try:
            if not self._blocked:
                self._work(now)
            elif now >= self._next_look:
                self._obey()
            self._status.offer(self._describe)
        except OSError as error:
            self._block(error)

    def _work(self, now: float) -> None:
        if self._control_due:
            self._tenure.check()
        else:
            # A process that ended leaves its place to the next one at once; it is settled while that one starts.
            self._start_due()
        self._attempts.settle()
        scans = self._intake.scans_done
        hints, self._hints = self._hints[:_HINTS_A_TURN], self._hints[_HINTS_A_TURN:]
        for name in hints:
            self._intake.hint(name)
        self._intake.work(self._watch.has_events, self._scan_share(now))
        if self._control_due or self._intake.scans_done != scans:
            self._tenure.check()
            self._obey()
        self._attempts.cut_logs()
        self._start_due()
        is_idle = not self._intake.is_scanning and not self._schedule.is_due(self._clock.wall())
        if now >= self._next_sweep and (is_idle or now >= self._next_sweep + SWEEP_PERIOD):
            self._next_sweep = now + SWEEP_PERIOD
            self._sweep()

    def _scan_share(self, now: float) -> float:
        """The share of time for a scan: little while jobs come to their ends and more of them are known to be due."""
        is_busy = now - self._attempts.last_settled < BUSY_SECONDS and self._schedule.is_due(self._clock.wall())
        return BUSY_SCAN_SHARE if is_busy else 1.0

    def _sweep(self) -> None:
        """Remove what the dead left behind: staged files, locks, reasons."""
        self._spool.sweep_tmp(self._clock.wall())
        self._spool.sweep_reasons()
        self._attempts.sweep_locks()

    def _can_start(self) -> bool:
        if self._stop_wishes or self._leave or self._paused or self._blocked:
            return False
        busy = self._attempts.supervision.at_work
        return busy < self._config.concurrency and self._schedule.is_due(self._clock.wall())

    def _start_due(self) -> None:
        while self._can_start():
            self._start_next()

    def _start_next(self) -> None:
        name = self._schedule.pop(self._clock.wall())
        candidate = None if name is None else self._intake.take(name)
        if candidate is None:
            return
        try:
            self._attempts.begin(candidate)
            self._start_failures = 0
        except StartError as error:
            self._start_failures += 1
            self._block(error, min(_MAX_START_PAUSE, 2.0 ** (self._start_failures - 1)))

    def _obey(self) -> None:
        """Do what lies in control/."""
        self._control_due = False
        self._next_look = self._clock.monotonic() + PROBE_PERIOD
        asked = requests.read(self._config.layout)
        if asked.stop is not None and not self._stop_wishes:
            self._take(Wish.LEAVE if asked.stop == requests.LEAVE_RUNNING else Wish.STOP)
        if asked.pause != self._paused:
            self._paused = asked.pause
            self._reporter.say(Kind.DISPATCHER, "paused" if self._paused else "resumed")
        for job_id in asked.cancels:
            try:
                self._cancel(job_id)
            except HeldError as error:
                self._reporter.say(Kind.TROUBLE, f"not cancelled yet: {error}", job_id)
        if asked.stop is not None:
            requests.clear_stop(self._config.layout)

    def _cancel(self, job_id: str) -> None:
        running = self._attempts.supervision.get(job_id)
        if running is not None:
            if self._attempts.supervision.cancel(running):
                self._reporter.ending(running)
        elif self._spool.was_cancelled(job_id):
            durable.unlink(self._config.layout.cancel(job_id))
        elif self._attempts.is_in_running(job_id):
            return  # neither settled nor adopted yet: it may be the one that is meant
        elif not self._attempts.cancel_waiting(job_id) and not self._spool.waits_or_runs(job_id):
            durable.unlink(self._config.layout.cancel(job_id))
            self._reporter.say(Kind.DISPATCHER, "cancel asked for, but no such job waits or runs", job_id)

    def _stop(self) -> None:
        self._stop_wishes += 1
        now = self._clock.monotonic()
        if self._stop_wishes == 1:
            self._interrupt_at = now + self._config.stop_grace
            count = len(self._attempts.supervision)
            self._reporter.say(Kind.DISPATCHER, f"stopping; {count} running, given {self._config.stop_grace:g} s")
        else:
            self._interrupt_at = None
            self._attempts.supervision.interrupt_all(HURRY_GRACE)

    def _block(self, error: Exception, pause: float = PROBE_PERIOD) -> None:
        self._blocked_until = self._clock.monotonic() + pause
        self._control_due = True  # what was asked for may not be done yet, and comes before the next start
        if str(error) != self._blocked:
            self._blocked = str(error)
            self._reporter.say(Kind.TROUBLE, f"claiming nothing, trying again in {pause:g} s: {error}")

    def _probe(self) -> None:
        """Try whether the spool can be written again."""
        error = self._spool.can_write()
        if error is not None:
            self._block(error)
            return
        try:
            if not self._tenure.holds:
                self._tenure.begin_anew()
                self._reporter.journal.close()  # its files were removed too: the next line opens them anew
            self._watch.restart()  # the folders may be others by now
            self._blocked = ""
            self._reporter.say(Kind.DISPATCHER, "going on")
            self._recover()
            self._intake.start_scan()
        except OSError as again:
            self._block(again)

    def _recover(self) -> None:
        self._attempts.recover_all()
        self._tenure.vouch()

    def _describe(self) -> dict[str, Any]:
        state = (
            "stopping" if self._stop_wishes else "blocked" if self._blocked else "paused" if self._paused else "running"
        )
        trouble = [self._blocked, self._reporter.journal.trouble]
        return {
            "state": state,
            "pid": os.getpid(),
            "host": processes.host(),
            "version": spoolrunner.__version__,
            "started_at": format_time(self._began),
            "events": "events" if self._watch.has_events else "polling",
            "concurrency": self._config.concurrency,
            "waiting": len(self._schedule) + self._attempts.parked,
            "due": self._schedule.due(self._clock.wall()) + self._attempts.parked,
            "running": self._attempts.describe(),
            "totals": dict(sorted(self._reporter.totals.items())),
            "trouble": [text for text in trouble if text] + self._warnings,
        }

"""The loop: wait, settle, claim, start. One thread, one inbox; every other thread only puts a message into it.

    Dispatcher(load_config()).run()

Owns when something is done. What is done is for the rooms of a job's journey, and what follows from a stop, a pause or a full
disk stands in the table of `phases`.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable
from functools import partial

from spoolrunner.config.load import Config
from spoolrunner.dispatch.holder import Holder
from spoolrunner.dispatch.reloading import Reloading
from spoolrunner.dispatch.reporter import Reporter, deaths_of_threads
from spoolrunner.dispatch.rooms import furnish
from spoolrunner.dispatch.service import Service, Told
from spoolrunner.dispatch.surroundings import Surroundings
from spoolrunner.dispatch.wishes import CodeLoaded, Message, Notice, Wish
from spoolrunner.executors.plan import find_executor, make_plan
from spoolrunner.spool import requests
from spoolrunner.spool.folders import Spool
from spoolrunner.telling.events import Listener, StaleStopRemoved
from spoolrunner.telling.logfiles import LogFiles
from spoolrunner.telling.minutes import Minutes
from spoolrunner.telling.totals import Totals

STANDBY_POLL = 0.25
"""Seconds between tries to take a spool that another dispatcher holds."""


class Dispatcher:
    """The one holder of a spool. Each of `listeners` is called with every event as it is logged."""

    def __init__(
        self, config: Config, listeners: Iterable[Listener] = (), surroundings: Surroundings | None = None
    ) -> None:
        self._config = config
        self._surroundings = surroundings or Surroundings()
        self._inbox = self._surroundings.inbox
        self._logfiles = LogFiles(config.layout, config.max_log_bytes)
        self._totals = Totals()
        self._minutes = Minutes(config.layout, self._surroundings.clock, config.keep_history)
        told: list[Listener] = [self._logfiles, self._totals, self._minutes, *listeners]
        self._reporter = Reporter(self._surroundings.clock, told)
        self._boot = self._surroundings.machine.boot_id()
        self._holder = Holder(config.layout, self._surroundings.clock, self._surroundings.machine, self._boot)
        self.service: Service | None = None
        """The work on the spool; None until it is taken."""

    def request(self, wish: Wish) -> None:
        """Ask something of the running loop; safe from any thread and from signal handlers."""
        self._inbox.put(wish)

    def listen(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call `ready` whenever the descriptor can be read while the loop waits. NotImplementedError on Windows."""
        self._inbox.listen(descriptor, ready)

    @property
    def is_paused(self) -> bool:
        """Whether control/pause was there when last looked at."""
        return self.service is not None and self.service.phase.is_paused

    @property
    def unstarted(self) -> int:
        """How many jobs were due and could not be started when it was last looked at: in the end, those that a drain left."""
        return 0 if self.service is None else self.service.unstarted

    def run(self, *, drain: bool = False, standby: bool = False) -> None:
        """Dispatch until stopped or, with `drain`, until nothing is due and nothing runs, or what is due cannot be started.

        SpoolBusyError when another dispatcher holds the spool and `standby` does not say to wait for it; SpoolLayoutError when
        the folders are not fit; StartError when there is no such executor here.
        """
        spool = Spool(self._config.layout, self._config.fsync)
        spool.make_missing(self._config.folder)
        spool.check()
        if not self._take_spool(standby=standby):
            return
        try:
            self.service = self._begin()
            with deaths_of_threads(lambda event: self._inbox.put(Notice(event))):
                self._serve(self.service, drain=drain)
        finally:
            self._logfiles.close()
            self._holder.end()

    def _take_spool(self, *, standby: bool) -> bool:
        """Take the dispatcher's lock; False when we were asked to stop while waiting for it."""
        while not self._holder.begin(standby=standby):
            try:
                if self._inbox.get(timeout=STANDBY_POLL) in (Wish.STOP, Wish.LEAVE):
                    return False
            except queue.Empty:
                continue
        return True

    def _begin(self) -> Service:
        """Everything that serves the spool which we hold now."""
        config, inbox = self._config, self._inbox
        if requests.clear_stop(config.layout):
            self._reporter.report(StaleStopRemoved())
        plan_of = partial(
            make_plan,
            boot=self._boot,
            loaded=lambda files: inbox.put(CodeLoaded(files)),
            notice=lambda event: inbox.put(Notice(event)),
            sources=inbox,
        )
        make_executor = self._surroundings.executor or find_executor(config.file.executor)
        executor = make_executor(plan_of(config), inbox.put)
        rooms = furnish(config, self._holder.trust, executor, self._reporter, self._surroundings.clock)
        reloading = Reloading(config, executor, plan_of, self._reporter.report, self._surroundings.clock)
        reloading.listeners.append(lambda changed: self._logfiles.limit_to(changed.max_log_bytes))
        reloading.listeners.append(lambda changed: self._minutes.keep_for(changed.keep_history))
        told = Told(self._logfiles, self._totals, self._minutes)
        return Service(rooms, self._holder, self._surroundings, told, reloading)

    def _serve(self, service: Service, *, drain: bool) -> None:
        try:
            service.open()
            while not service.is_finished(drain=drain):
                self._receive(service)
                service.turn()
        finally:
            service.close()

    def _first_message(self, service: Service) -> Message:
        try:
            return self._inbox.get_nowait()
        except queue.Empty:
            wait = service.wait()
            if wait <= 0:
                raise
            return self._inbox.get(timeout=wait)

    def _receive(self, service: Service) -> None:
        """Take everything out of the inbox, waiting for the first message as long as there is nothing to do."""
        try:
            message = self._first_message(service)
            while True:
                service.take(message)
                message = self._inbox.get_nowait()
        except queue.Empty:
            return

"""Holding a spool, as the one dispatcher of it: take it, notice that it was removed, give it up.

Owns what stands in `dispatcher.lock` about its holder. What is done with the spool meanwhile is for `service`.
"""

from __future__ import annotations

import os

from spoolrunner.errors import SpoolBusyError
from spoolrunner.spool import dispatcher_lock
from spoolrunner.spool.paths import Layout
from spoolrunner.system import machine, place
from spoolrunner.system.clock import Clock, format_time
from spoolrunner.system.machine import Machine

PATIENCE = 0.2
"""Seconds to try for the lock: a command that looks whether somebody holds it has it for a moment."""


class Holder:
    """The one dispatcher of a spool, which may be this one. `boot` is that of the machine."""

    def __init__(self, layout: Layout, clock: Clock, machine: Machine, boot: str) -> None:
        self._layout = layout
        self._clock = clock
        self._machine = machine
        self._boot = boot
        self.lock = dispatcher_lock.DispatcherLock(layout.dispatcher_lock)

    @property
    def follows_in_this_boot(self) -> bool:
        """Whether a holder before us vouched for the markers since the machine was started; known once the spool is taken."""
        return bool(self._boot) and self.lock.previous_boot == self._boot

    def begin(self, *, standby: bool = False) -> bool:
        """Take the spool; when another dispatcher serves it, False with `standby`, and SpoolBusyError without."""
        pid, since = os.getpid(), format_time(self._clock.wall())
        start = self._machine.started(pid, self._boot)
        me = {
            "pid": pid,
            "start": start,
            "host": machine.host(),
            "namespace": place.namespace(),
            "since": since,
        }
        if not self.lock.acquire(me, 0.0 if standby else PATIENCE):
            if standby:
                return False
            raise busy(self._layout)
        return True

    @property
    def holds(self) -> bool:
        """Whether what lies at the spool's path is what was taken: it may have been removed, and made anew, since."""
        return self.lock.is_in_place()

    def check(self) -> None:
        """Raise OSError unless what lies at the spool's path is what we serve."""
        if not self.holds:
            raise OSError("the spool, or the dispatcher.lock in it, was removed")

    def begin_anew(self) -> None:
        """Take what lies at the spool's path now. OSError when nothing does, SpoolBusyError when another serves that."""
        os.stat(self._layout.pending)  # not mounted, perhaps: nothing is made in its place
        self.lock.forsake()
        self.begin()

    def vouch(self) -> None:
        """Note for later holders that running/ was looked at in this boot of the machine; OSError unless it holds."""
        self.check()
        self.lock.vouch(self._boot)

    def end(self) -> None:
        """Give it up."""
        self.lock.release()


def busy(layout: Layout) -> SpoolBusyError:
    """The error that names who serves the spool."""
    held = dispatcher_lock.holder(layout.dispatcher_lock)
    who = f"pid {held['pid']} on {held['host']} since {held['since']}" if held else "another process"
    advice = "stop it with `spoolrunner stop`, or wait for it with --standby"
    return SpoolBusyError(f"{layout.root} is served by {who}; {advice}")

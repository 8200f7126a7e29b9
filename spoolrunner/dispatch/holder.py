"""Holding a spool, as the one dispatcher of it: take it, notice that it was removed, give it up.

Owns what stands in `dispatcher.lock` about its holder. What is done with the spool meanwhile is for `service`.
"""

from __future__ import annotations

import os

from spoolrunner.errors import SpoolBusyError
from spoolrunner.spool import dispatcher_lock
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.settling_rules import Boot
from spoolrunner.system import machine, place
from spoolrunner.system.clock import Clock, format_time
from spoolrunner.system.machine import Machine

PATIENCE = 0.2
"""Seconds to try for the lock: a command that looks whether somebody holds it has it for a moment."""
_NOT_OURS = "the spool, or the dispatcher.lock in it, was removed, moved, covered or mounted again"


class Holder:
    """The one dispatcher of a spool, which may be this one.

    `boot` is that of the machine. `trust` says what may be believed of what lay in the spool when it was taken.
    """

    def __init__(self, layout: Layout, clock: Clock, machine: Machine, boot: str) -> None:
        self._layout = layout
        self._clock = clock
        self._machine = machine
        self._boot = boot
        self._words: dict[str, str] = {}
        self.lock = dispatcher_lock.DispatcherLock(layout.dispatcher_lock)
        self.trust = Boot(boot, has_markers=False)
        self.has_vouched = False
        """Whether all is known to be there that was ever written: by a holder before us, or since we have recovered."""

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
        words = self._say_where()
        if not self.lock.acquire(me, 0.0 if standby else PATIENCE):
            if standby:
                return False
            raise busy(self._layout)
        self._words = words
        before = self.lock.vouched
        self.has_vouched = all(self._words.values()) and before == self._words
        self.trust.has_markers = self.has_vouched
        self.trust.keeps_inodes = before.get("place", "") == self._words["place"]
        return True

    def _say_where(self) -> dict[str, str]:
        """What `vouch` writes: empty words where the system has none, which nobody trusts."""
        mount, place = self._machine.mounting(self._layout.root), str(os.stat(self._layout.locks).st_ino)
        return {"boot": self._boot, "mount": mount, "place": place}

    @property
    def holds(self) -> bool:
        """Whether what lies at the spool's path is what was taken: it may have been removed, and made anew, since.

        A file system that was mounted again has the same files, but our lock is in the one that is gone. When the mounting
        cannot be known, for want of a descriptor for one, that is no reason to let go.
        """
        if not self.lock.is_in_place():
            return False
        then, now = self._words["mount"], self._machine.mounting(self._layout.root)
        return then == now or not then or not now

    @property
    def is_removed(self) -> bool:
        """Whether what was taken lies nowhere any more: it was not just moved, or covered by a mount."""
        return self.lock.is_removed()

    def check_place(self) -> None:
        """Raise OSError unless our dispatcher.lock lies at the spool's path: a quick look, which each batch of jobs can pay."""
        if not self.lock.is_in_place():
            raise OSError(_NOT_OURS)

    def check(self) -> None:
        """Raise OSError unless what lies at the spool's path is what we serve, and was not mounted again."""
        if not self.holds:
            raise OSError(_NOT_OURS)

    def begin_anew(self) -> None:
        """Take what lies at the spool's path now. OSError when nothing does, SpoolBusyError when another serves that."""
        os.stat(self._layout.pending)  # not mounted, perhaps: nothing is made in its place
        self.lock.forsake()
        self.begin()

    def vouch(self) -> None:
        """Note for later holders that running/ was looked at since the file system was mounted; OSError unless it holds."""
        self.check()
        self.lock.vouch(self._words)
        self.has_vouched = True

    def end(self) -> None:
        """Give it up."""
        self.lock.release()


def busy(layout: Layout) -> SpoolBusyError:
    """The error that names who serves the spool."""
    held = dispatcher_lock.holder(layout.dispatcher_lock)
    who = dispatcher_lock.named(held)
    advice = "stop it with `spoolrunner stop`, or wait for it with --standby"
    return SpoolBusyError(f"{layout.root} is served by {who}; {advice}")

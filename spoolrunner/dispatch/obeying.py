"""When control/ is looked at: when something may have happened there, after each scan, and each second while blocked."""

from __future__ import annotations

from collections.abc import Callable

from spoolrunner.dispatch.cancelling import Cancelling
from spoolrunner.dispatch.control_folder import Control
from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.scan import Scan

PERIOD = 1.0
"""Seconds between two looks while the spool is blocked."""


class Obeying:
    """The looks into control/, as a chore of a turn. `check` raises OSError when the spool is not the one we serve."""

    def __init__(
        self,
        control: Control,
        cancelling: Cancelling,
        scan: Scan,
        phase: Callable[[], Phase],
        check: Callable[[], None],
    ) -> None:
        self._control = control
        self._cancelling = cancelling
        self._scan = scan
        self._phase = phase
        self._check = check
        self._scans_seen = 0
        self._again_at = 0.0

    def is_due(self, now: float) -> bool:
        """Whether something may be asked for there: that comes before the next start."""
        return self._control.is_due or (not self._cancelling.left and self._cancelling.next_in(now) <= 0)

    def next_in(self, now: float) -> float:
        """Seconds until there is something to do."""
        return 0.0 if self._control.is_due or self._cancelling.left else self._cancelling.next_in(now)

    def work(self, now: float) -> None:
        """Look, if it is time, and see first that the spool is still the one we serve."""
        if self.is_due(now) or self._cancelling.left or self._scan.done != self._scans_seen:
            self._scans_seen = self._scan.done
            self._check()
            self._obey(now)

    def next_while_blocked(self, now: float) -> float:
        """Seconds until the next look while the spool is blocked."""
        return max(0.0, self._again_at - now)

    def work_while_blocked(self, now: float) -> None:
        """Look once a second."""
        if now >= self._again_at:
            self._obey(now)

    def _obey(self, now: float) -> None:
        self._again_at = now + PERIOD
        self._control.obey(self._phase())

"""What is done with many files: counted first, then done in a thread of its own, so that no request waits for 100,000 renames.

A deed whose count is another than the page's touches nothing. One that is cut short, as by the end of the page's server, leaves
every file in one folder: each is moved by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from enum import StrEnum

from spoolrunner.client import bulk, operate
from spoolrunner.client.bulk import Choice
from spoolrunner.client.operate import CancelEnd, Retried
from spoolrunner.client.overview import dispatcher_of
from spoolrunner.config.load import Config
from spoolrunner.errors import SpoolRunnerError
from spoolrunner.web import words
from spoolrunner.web.chosen import Asked, Found, find
from spoolrunner.web.desk import Desk
from spoolrunner.web.notes import Note

MOST = 4
"""Deeds under way at a time."""
_NAMED = 5
"""Files that could not be touched and are named; of more only the number is."""
_NEITHER = "it neither waits nor runs any more"
_MARGIN = 10.0
"""Seconds given beyond what the configuration allows a cancel to take."""
_DOING = {"retry": "moved to pending/", "cancel": "cancelled", "discard": "removed"}
_DID = {
    "retry": "moved from {}/ to pending/",
    "cancel": "asked to be cancelled",
    "discard": "removed from {}/ for good",
}


class Step(StrEnum):
    """How far a deed is."""

    COUNTING = "counting"
    ASKING = "asking"
    DOING = "doing"
    OVER = "over"


class Deed:
    """One form's wish, carried out.

    `told` is called when it is over and files were touched, with how many; it returns why that cannot be logged, or "". Without
    `may_read` files are not searched for a text.
    """

    def __init__(self, wish: Asked, told: Callable[[int], str], *, may_read: bool) -> None:
        self.wish = wish
        self._may_read = may_read
        self.step = Step.COUNTING
        self.found: Found | None = None
        self.done = 0
        self._told = told
        self._failed: list[str] = []
        self._error = self._remark = ""
        self.settled = threading.Event()
        """Set as soon as it is over, or asks."""

    def carry_out(self, desk: Desk) -> None:
        """Count, and do it if the count is the page's; never raises."""
        try:
            self.found = find(desk, self.wish, desk.clock.wall(), may_read=self._may_read)
            if self.wish.count != self.found.total:
                self.step = Step.ASKING
                return
            self.step = Step.DOING
            for name, problem in _DO[self.wish.verb](desk.config, self.found.jobs):
                self.done += problem is None
                if problem is not None:
                    self._failed.append(f"{name}: {problem}")
        except (SpoolRunnerError, OSError) as error:
            self._error = str(error)
        finally:
            if self.step is not Step.ASKING:
                self.step = Step.OVER
            if self.done:
                self._remark = self._told(self.done)
            self.settled.set()

    def note(self) -> Note:
        """Return how it stands now, as a sentence."""
        return Note(self._words(), self.wish.command, bool(self._failed or self._error or self.step is Step.ASKING))

    def _words(self) -> str:
        wish, folder = self.wish, self.wish.folder.value
        if self.step is Step.COUNTING:
            return f"The files in {folder}/ that match are being counted; nothing was touched so far."
        if self.step is Step.ASKING:
            return f"Another number of files matches than the page has shown. Nothing was touched in {folder}/."
        total = len(self.found.jobs) if self.found else 0
        did = _DID[wish.verb].format(folder)
        if self.step is Step.DOING:
            so_far = f"{words.number(self.done)} of {words.plural(total, 'file')}"
            return f"{so_far} {_DOING[wish.verb]} so far; it goes on by itself."
        parts = [
            f"{words.plural(self.done, 'file')} {did}." if self.done or not self._error else "Nothing was touched."
        ]
        parts += [f"Left: {one}." for one in (self.found.left if self.found else [])]
        parts += [f"Not touched: {one}." for one in self._failed[:_NAMED]]
        if len(self._failed) > _NAMED:
            parts.append(f"And {words.number(len(self._failed) - _NAMED)} more.")
        parts += [f"It ended by an error: {self._error}."] if self._error else []
        parts += [f"{self._remark[:1].upper()}{self._remark[1:]}."] if self._remark else []
        return " ".join(parts)


class Deeds:
    """The deeds of one page. `over` is called when one has ended, or asks."""

    def __init__(self, over: Callable[[], object] = lambda: None) -> None:
        self._over = over
        self._places = threading.BoundedSemaphore(MOST)

    def begin(self, deed: Deed, desk: Desk, patience: float) -> bool:
        """Begin a deed, and wait for it so many seconds at most; False, and nothing is begun, while MOST are under way."""
        if not self._places.acquire(blocking=False):
            return False
        threading.Thread(
            target=self._work, args=(deed, desk), name=f"spoolrunner {deed.wish.verb}", daemon=True
        ).start()
        deed.settled.wait(patience)
        return True

    def _work(self, deed: Deed, desk: Desk) -> None:
        try:
            deed.carry_out(desk)
        finally:
            self._places.release()
            self._over()


Done = Iterator[tuple[str, str | None]]
"""The name of each file, with why it was not touched (None: it was)."""


def _retry(config: Config, jobs: list[Choice]) -> Done:
    for choice, retried in bulk.retry(config, jobs):
        yield choice.name, _not_retried(choice, retried)


def _not_retried(choice: Choice, retried: Retried) -> str | None:
    if retried.source is not None:
        return None
    if retried.is_taken:
        return "pending/ has a file of this id already; mv -n refused"
    return str(retried.error) if retried.error else f"it is not in {choice.state.value}/ any more"


def _cancel(config: Config, jobs: list[Choice]) -> Done:
    """Ask for each; where a dispatcher takes them, only so many stand at a time."""
    if dispatcher_of(config.layout) is None:
        for choice in jobs:
            yield choice.name, None if operate.cancel(config.layout, choice.name) else _NEITHER
        return
    for choice, answer in bulk.cancel(config.layout, jobs, config.kill_grace + _MARGIN, lambda _: None):
        if answer is None:
            yield choice.name, _NEITHER
        else:
            took_it = answer.end in (CancelEnd.CANCELLED, CancelEnd.STANDS)
            yield choice.name, None if took_it else str(answer.end)


def _discard(config: Config, jobs: list[Choice]) -> Done:
    for choice, gone in bulk.discard(config.layout, jobs):
        yield choice.name, None if gone is True else str(gone or f"it is not in {choice.state.value}/ any more")


_DO: dict[str, Callable[[Config, list[Choice]], Done]] = {"retry": _retry, "cancel": _cancel, "discard": _discard}

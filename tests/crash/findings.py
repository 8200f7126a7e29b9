"""What a sweep tried, and each promise it found broken: counted by which promise it is, and told all at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.tally import Tally

_SHOWN = 3
"""Stories that are told in full; the others are only counted."""


class LostError(AssertionError):
    """A job, or something that was asked for, is nowhere."""


class DoubleError(AssertionError):
    """A job is in two places, or two processes run it, or one start of it was made twice."""


class BeyondError(AssertionError):
    """A job was started more often than its limit allows, or a start of it was not counted."""


_COLUMNS: dict[str, type[AssertionError]] = {"lost": LostError, "double": DoubleError, "beyond": BeyondError}


class Findings:
    """Collects the trials of one sweep; a broken promise does not end it."""

    def __init__(self) -> None:
        self.tried = 0
        self.broken: list[tuple[str, AssertionError]] = []

    @contextlib.contextmanager
    def trial(self, what: str) -> Iterator[None]:
        """One trial: an AssertionError within is a finding."""
        self.tried += 1
        try:
            yield
        except AssertionError as error:
            self.broken.append((what, error))

    def count(self, kind: type[AssertionError]) -> int:
        """How many trials broke that promise."""
        return sum(isinstance(error, kind) for _, error in self.broken)

    def tell(self, tally: Tally | None = None, suite: str = "") -> None:
        """Count it for the table at the end of the run, if asked to; then fail if anything was found."""
        if tally is not None:
            counts = {column: self.count(kind) for column, kind in _COLUMNS.items()}
            tally.add(suite, self.tried, **counts)
        stories = [f"{what}: {type(error).__name__}: {error}" for what, error in self.broken[:_SHOWN]]
        if stories:
            raise AssertionError(f"{len(self.broken)} of {self.tried} trials failed\n" + "\n\n".join(stories))

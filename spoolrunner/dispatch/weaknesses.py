"""What weakens the promise in an installation: said when it is found, and in status.json for as long as it is so."""

from __future__ import annotations

from collections.abc import Callable

from spoolrunner.config.load import Config
from spoolrunner.system import durable
from spoolrunner.telling.events import Event, Weakness


class Weaknesses:
    """The weaknesses of one dispatcher, each a sentence. `work` is that of a chore.

    `of_config` returns those that an installation has by its configuration and the modes of its files.
    """

    def __init__(self, of_config: Callable[[Config], list[str]], report: Callable[[Event], None]) -> None:
        self._of_config = of_config
        self._report = report
        self._configured: list[str] = []
        self._met: list[str] = []
        self._folders: set[str] = set()

    @property
    def sentences(self) -> list[str]:
        """All of them."""
        return self._configured + self._met

    def look(self, config: Config) -> None:
        """Look at the installation, and report what was not so before."""
        before, self._configured = self._configured, self._of_config(config)
        for what in self._configured:
            if what not in before:
                self._report(Weakness(what))

    def add(self, what: str) -> None:
        """Report one that was met with."""
        self._met.append(what)
        self._report(Weakness(what))

    def work(self, now: float) -> None:  # noqa: ARG002 -- as every chore
        """Report the folders that were found since the last time in which a rename cannot refuse."""
        for folder in durable.unchecked_folders() - self._folders:
            self._folders.add(folder)
            self.add(
                f"{folder}: the file system cannot refuse a rename to a taken name; only a check just before guards it"
            )

"""What the page asks of the desk: the configuration in force, and the spool that it names, for as long as the page runs."""

from __future__ import annotations

from typing import NamedTuple, Self

from spoolrunner.client.form import Forms
from spoolrunner.client.glance import Glances
from spoolrunner.client.history import History
from spoolrunner.client.index import Index
from spoolrunner.client.schedules import schedules
from spoolrunner.client.settings import settings_in_force
from spoolrunner.config.load import Config
from spoolrunner.errors import ConfigError
from spoolrunner.system.clock import SYSTEM, Clock
from spoolrunner.web.surveys import Kept, Surveys


class InForce(NamedTuple):
    """A configuration, and what is wrong with the file by now; while it is unfit, the last one that was fit stays."""

    config: Config
    problems: list[str]


class Desk:
    """The spool of one page. `config` is where its config.json is, as on the command line.

    ConfigError when that file is unfit already at first.
    """

    def __init__(self, config: str | None = None, clock: Clock = SYSTEM) -> None:
        self._given = config
        self._last = settings_in_force(config)
        self.clock = clock
        self.layout = self._last.layout
        """The spool for as long as the page runs: another `spool` in config.json needs another page."""
        self.glances = Glances(self._last)
        self.history = History(self.layout)
        self.hour = Kept(lambda: self.history.of("hour", clock.wall()), clock)
        self.day = Kept(lambda: self.history.of("day", clock.wall()), clock)
        self.month = Kept(lambda: self.history.of("month", clock.wall()), clock)
        """What happened; OSError when it cannot be read."""
        self.index = Index(self.layout, clock)
        """Counts and names in order; kept while the desk is open, which `with` makes it."""
        self.surveys = Surveys(self)
        self.forms = Forms()
        self.schedules = Kept(lambda: schedules(self.config), clock)
        """The schedules, as the desk tells of them; OSError or ConfigError when they cannot be read."""

    def __enter__(self) -> Self:
        self.index.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.index.close()

    def in_force(self) -> InForce:
        """Return the configuration as its file says it now."""
        try:
            found = settings_in_force(self._given)
        except ConfigError as error:
            return InForce(self._last, error.problems)
        except OSError as error:
            return InForce(self._last, [f"cannot be read: {error.strerror}"])
        if found is not self._last:
            self._last = found
            self.glances.use(found)
        return InForce(found, [])

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.in_force().config

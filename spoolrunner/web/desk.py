"""What the page asks of the desk: the configuration in force, and the spool that it names, for as long as the page runs."""

from __future__ import annotations

from typing import NamedTuple

from spoolrunner.client.settings import settings_in_force
from spoolrunner.config.load import Config
from spoolrunner.errors import ConfigError


class InForce(NamedTuple):
    """A configuration, and what is wrong with the file by now; while it is unfit, the last one that was fit stays."""

    config: Config
    problems: list[str]


class Desk:
    """The spool of one page. `config` is where its config.json is, as on the command line.

    ConfigError when that file is unfit already at first.
    """

    def __init__(self, config: str | None = None) -> None:
        self._given = config
        self._last = settings_in_force(config)
        self.layout = self._last.layout
        """The spool for as long as the page runs: another `spool` in config.json needs another page."""

    def in_force(self) -> InForce:
        """Return the configuration as its file says it now."""
        try:
            found = settings_in_force(self._given)
        except ConfigError as error:
            return InForce(self._last, error.problems)
        except OSError as error:
            return InForce(self._last, [f"cannot be read: {error.strerror}"])
        self._last = found
        return InForce(found, [])

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.in_force().config

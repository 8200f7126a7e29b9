"""config.json is read again while the dispatcher runs: when it changed, and when somebody asks for it.

A file that is not fit is refused as a whole, with every reason, and what was read before stays in force. What runs is not
disturbed. The one `Config` of a dispatcher becomes the new one; who has made something of it is among the `listeners`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from spoolrunner.config.load import Config
from spoolrunner.dispatch.one_file import is_of_one_file
from spoolrunner.errors import ConfigError, SpoolRunnerError
from spoolrunner.executors.base import Executor, Plan
from spoolrunner.spool import requests
from spoolrunner.system.clock import Clock
from spoolrunner.telling.events import Event
from spoolrunner.telling.troubles import NotSwept
from spoolrunner.telling.upkeep import ConfigRefused, ConfigReloaded

PERIOD = 5.0
"""Seconds between two looks at the file, while the dispatcher is awake: it is not woken for that."""
SETTLE_SECONDS = 2.0
"""Seconds for which a file that is not fit must stay the same before it is refused: it may still be being written."""


class Reloading:
    """The configuration of one dispatcher, kept up to date. A chore.

    `plan_of` makes the plan of an executor. `listeners` are called, in their order, with each configuration that comes into
    force after the first one. `trouble` says why the file as it is now is not in force; it is empty while it is.
    """

    def __init__(
        self,
        config: Config,
        executor: Executor,
        plan_of: Callable[[Config], Plan],
        report: Callable[[Event], None],
        clock: Clock,
    ) -> None:
        self.listeners: list[Callable[[Config], None]] = []
        self.trouble = ""
        self._config = config
        self._executor = executor
        self._plan_of = plan_of
        self._report = report
        self._clock = clock
        self._is_asked = False
        self._look_at = 0.0
        self._problems: list[str] = []
        self._refuse_at = 0.0
        self._not_removed = ""

    def ask(self) -> None:
        """Read the file at the next turn, whether it changed or not."""
        self._is_asked = True

    def obey(self) -> None:
        """Do what control/reload asks for. A request that cannot be removed is not obeyed: it would be again and again."""
        try:
            requests.clear_reload(self._config.layout)
        except OSError as error:
            if not is_of_one_file(error):
                raise
            before, self._not_removed = self._not_removed, str(error)
            if before != self._not_removed:
                self._report(NotSwept(str(error)))
        else:
            self._not_removed = ""
            self.ask()

    def next_in(self, now: float) -> float:  # noqa: ARG002 -- as every chore
        """0 when the file is to be read; it is looked at when the dispatcher is awake anyway."""
        return 0.0 if self._is_asked else math.inf

    def work(self, now: float) -> None:
        """Read the file if that was asked for; look whether it changed if it is time."""
        if self._is_asked:
            self._is_asked = False
            self._problems = self._renew()
            if self._problems:
                self._refuse(self._problems, again=True)
        elif now >= self._look_at:
            self.take_if_changed()

    def take_if_changed(self) -> bool:
        """Put the file into force if it is another than the one that is; return whether that was done."""
        now = self._clock.monotonic()
        if self._problems and now < self._look_at:
            return False  # it was just looked at
        self._look_at = now + PERIOD
        is_as_read = self._config.is_as_read()
        if is_as_read:
            self._problems, self.trouble = [], ""  # also one that was put back
        if is_as_read is not False:
            return False
        before, self._problems = self._problems, self._renew()
        if not self._problems:
            return True
        if self._problems != before:
            self._refuse_at = self._look_at = now + SETTLE_SECONDS
        elif now >= self._refuse_at:
            self._refuse(self._problems)
        return False

    def _renew(self) -> list[str]:
        """Put the file into force; return what is wrong with it, and nothing is changed then."""
        try:
            made = self._config.read_again()
            problems = needs_restart(self._config, made)
            if not problems:
                self._executor.replan(self._plan_of(made))
                self._take_over(made)
        except ConfigError as error:
            return error.problems
        except (SpoolRunnerError, OSError) as error:
            return [str(error)]
        return problems

    def _take_over(self, made: Config) -> None:
        keys = changed_keys(self._config, made)
        self._config.become(made)
        self.trouble = ""
        for listener in self.listeners:
            listener(self._config)
        self._report(ConfigReloaded(self._config.path, tuple(keys)))

    def _refuse(self, problems: list[str], *, again: bool = False) -> None:
        """Say so, once for the same problems, unless somebody has asked `again`."""
        event = ConfigRefused(self._config.path, tuple(problems))
        before, self.trouble = self.trouble, event.sentence
        if again or before != event.sentence:
            self._report(event)


def needs_restart(old: Config, new: Config) -> list[str]:
    """Return a sentence for each key that differs and on which all that a dispatcher holds is built.

    ConfigError when the signing key cannot be read.
    """
    differ = {
        "spool": old.layout.root != new.layout.root,
        "executor": old.file.executor != new.file.executor,
        "fsync": old.fsync != new.fsync,
        "signing_key": old.signing_key_path != new.signing_key_path or old.signing_key != new.signing_key,
    }
    return [f"{key}: is another now, which needs a restart" for key, is_other in differ.items() if is_other]


def changed_keys(old: Config, new: Config) -> list[str]:
    """Return the keys whose values differ, in the order of the shape."""
    before, after = msgspec.to_builtins(old.file), msgspec.to_builtins(new.file)
    return [key for key in after if after[key] != before[key]]


def advice(config: Config) -> str:
    """Return what to add to the reason why a job is not allowed: nothing, unless the file is another than the one in force."""
    if not config.is_changed():
        return ""
    return "; config.json was changed, but is not in force: `spoolrunner status` says why; then `spoolrunner retry` the job"

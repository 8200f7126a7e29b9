"""The template that preloads, and serves when it is ready: begun anew without a module that does harm when it is imported."""

from __future__ import annotations

from collections.abc import Callable

from spoolrunner.errors import StartError
from spoolrunner.executors.base import Plan
from spoolrunner.executors.connection import Owner, Template, start_template
from spoolrunner.telling.events import NotPreloaded


class Successor:
    """The one of a fork executor. `template` is None while none preloads; `put_away` is called with each that is given up."""

    def __init__(self, plan: Plan, owner: Owner, put_away: Callable[[Template], None]) -> None:
        self._plan = plan
        self._owner = owner
        self._put_away = put_away
        self._modules = list(plan.preload)
        self.template: Template | None = None

    def replan(self, plan: Plan) -> None:
        """Start one by another plan."""
        self._plan, self._modules = plan, list(plan.preload)
        self.begin()

    def begin(self) -> None:
        """Start one that imports what can be preloaded."""
        self.give_up()
        if self._modules:
            try:
                self.template = start_template(self._plan, self._modules, self._owner)
            except StartError as error:
                self._plan.notice(NotPreloaded(", ".join(self._modules), str(error)))

    def give_up(self) -> None:
        """Do without the one that preloads."""
        template, self.template = self.template, None
        if template is not None:
            template.kill()
            self._put_away(template)

    def leave_out(self, name: str, why: str) -> None:
        """Preload all but that module: its jobs import it themselves, and whatever it does is their affair."""
        self._plan.notice(NotPreloaded(name, why))
        self._modules.remove(name)
        self.begin()

    def has_ended(self, template: Template) -> None:
        """The one that preloads has ended by itself, and is collected."""
        self.template = None
        how = template.how_it_ended
        if template.importing:
            self.leave_out(template.importing, f"its import ended the template ({how})")
        else:  # by nobody's import, so that another one might end the same way
            self._plan.notice(NotPreloaded(", ".join(self._modules), f"the template ended ({how})"))

"""A fork of a small template process for each job: the fastest way on POSIX.

One template serves (`forkserver`), as soon as it is ready. It is replaced when it dies, when what lies at the paths of the
installation is another, and when code that it has imported changed. If modules are to be preloaded, a second one imports them
meanwhile, and takes the first one's place when it is ready: whatever an import does, jobs are started, with a fresh import
until then. All is done by the dispatcher's own thread, which waits for no template.
"""

from __future__ import annotations

import math
from typing import Any

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, Plan, Report
from spoolrunner.executors.connection import GETS_READY, LETS_GO, Template, start_template
from spoolrunner.executors.frames import EXITED, FORKED, IMPORTED, LEFT_OUT, OUTDATED, READY, SKIPPED
from spoolrunner.executors.local import LocalExecutor
from spoolrunner.executors.places import places_of
from spoolrunner.executors.successor import Successor
from spoolrunner.spool.settling_rules import Usage
from spoolrunner.system import clock
from spoolrunner.telling.events import NotPreloaded, Preloaded

_COLLECT_PAUSE = 0.02
"""Seconds between two looks whether a template, which has closed its socket, has ended."""


class ForkExecutor(LocalExecutor):
    """Forks from a template process, which has the modules imported that are to be preloaded."""

    def __init__(self, plan: Plan, report: Report) -> None:
        super().__init__(plan, report)
        self._places = places_of(plan)
        self._template: Template | None = None
        self._retired: set[Template] = set()
        """Those whose last job has not ended yet."""
        self._closed: set[Template] = set()
        """Those without a connection that have not been collected."""
        self._next = Successor(plan, self, self._closed.add)
        self._problem: StartError | None = None
        """Why the last template never got ready; None once that was raised."""
        self._stale = False
        self._serving: dict[AttemptKey, Template] = {}

    def prepare(self) -> None:
        """See that a template serves, of the code that lies there now. StartError when none can."""
        if self._places.have_changed() or self._stale:
            self._retire()
        problem, self._problem = self._problem, None
        if problem is not None:
            raise problem
        template = self._template
        if template is None:
            self._serve_anew()
        elif not template.can_start and template.is_ready:
            self._ask_again(template)
        elif clock.SYSTEM.monotonic() > template.ready_by:
            self._give_up(template)

    def _ask_again(self, template: Template) -> None:
        """No process waits for a job: see that one is on its way, and for not too long."""
        problem, template.problem = template.problem, ""
        template.spares.ask_for_more()
        if problem:
            raise StartError(
                f"no process can be forked for a job: {problem}; see to the limits of processes and memory"
            )
        if clock.SYSTEM.monotonic() > template.ready_by:
            self._give_up(template)

    def _give_up(self, template: Template) -> None:
        if not template.is_gone and not template.can_start:
            self._template = None
            self._retired.add(template)
            template.kill_alone()
            raise StartError(f"the template of the jobs' processes gave no sign for {GETS_READY:g} s, and was ended")

    @property
    def is_ready(self) -> bool:
        """Whether the process of the next job is there."""
        return self._template is not None and self._template.can_start

    def next_in(self, now: float) -> float:
        """Seconds until `work` has something to do."""
        spares = self._template.spares.next_in(now) if self._template is not None else math.inf
        return min(super().next_in(now), spares, _COLLECT_PAUSE if self._closed else math.inf)

    def work(self, now: float) -> None:
        """Collect the templates that have ended, and let the processes that wait for jobs warm up in a quiet moment."""
        super().work(now)
        if self._template is not None:
            self._template.spares.settle(now)
        for template in [template for template in self._closed if template.has_ended(now)]:
            self._closed.remove(template)
            self._has_gone(template)

    def start(self, assignment: Assignment) -> None:
        """Start the attempt, unless it was started. StartError when it is not possible."""
        key = AttemptKey(assignment.job_id, assignment.number)
        if key in self._pids:
            return
        template = self._template
        pid = template.start(key, assignment) if template is not None else 0
        if template is None or not pid:
            raise StartError("the process that was forked for the job has ended")
        self.know(assignment)
        self._pids[key] = pid
        self._serving[key] = template

    def kill(self, key: AttemptKey) -> None:
        """End its process tree at once; the template too, when it tells neither the pid of the process nor that it ended."""
        super().kill(key)
        template = self._serving.get(key)
        if template is not None and not template.is_gone and key not in self._exited and not self._ending[key]:
            template.kill_alone()

    def forget(self, key: AttemptKey) -> None:
        """The attempt is settled."""
        super().forget(key)
        self._serving.pop(key, None)

    def children(self) -> set[int]:
        """The templates, and the processes of jobs: what becomes of these is heard from their templates."""
        templates = (self._template, self._next.template, *self._retired, *self._closed)
        return super().children() | {template.pid for template in templates if template is not None}

    def renew(self) -> None:
        """Code on disk changed: the next job is forked from a new template. What runs is not disturbed. From any thread."""
        self._stale = True

    def replan(self, plan: Plan) -> None:
        """Start a template of another plan, from which the next job is forked. StartError: all stays as it is then."""
        made = start_template(plan, [], self)
        super().replan(plan)
        self._places, self._problem, self._stale = places_of(plan), None, False
        self._retire()
        self._template = made
        self._next.replan(plan)

    def close(self) -> None:
        """Let the templates go, and wait until those without jobs have ended, for ten seconds at most. What runs, runs on."""
        self._next.give_up()
        for template in [*self._retired, *([self._template] if self._template is not None else [])]:
            template.close()
            self._closed.add(template)
        until = clock.SYSTEM.monotonic() + LETS_GO
        for template in self._closed:
            if not template.has_jobs:
                template.wait(until)
        self._retired.clear()
        self._closed.clear()
        self._template = None

    # -- which template serves

    def _serve_anew(self) -> Template:
        """Start a template that serves at once, and one that preloads."""
        self._stale = False  # before anything is imported: what changes from now on makes it stale again
        self._template = made = start_template(self._plan, [], self)
        self._next.begin()
        return made

    def _retire(self) -> None:
        """Let no job be started any more from what there is."""
        self._next.give_up()
        self._retire_serving()
        self._template = None

    def _retire_serving(self) -> None:
        if self._template is not None and not self._template.is_gone:
            self._template.retire()
            self._retired.add(self._template)

    def _promote(self) -> None:
        """The template that preloads is ready: from now on it serves."""
        ready, self._next.template = self._next.template, None
        self._retire_serving()
        self._template = ready

    # -- what a template calls, when the dispatcher listens

    def heard(self, template: Template, event: str, *arguments: Any) -> None:
        """Take a message of a template."""
        if event == EXITED:
            pid, status, cpu_s, max_rss = arguments
            key = template.ended(pid)
            if key is None:
                template.spares.ask_for_more()  # somebody has ended one that waited
            else:
                usage = None if status is None else Usage(cpu_s, max_rss)
                self._has_ended(key, status, usage, left=self._may_have_left(key, pid))
        elif event == FORKED:
            if template is self._next.template and template.can_start:
                self._promote()
                self._plan.loaded(template.files)
        elif event == READY:
            if template is self._template:
                self._plan.loaded(template.files)
        elif event == OUTDATED:
            if template is self._template:
                self.renew()
        elif event == IMPORTED:
            self._plan.notice(Preloaded(*arguments))
        elif event == SKIPPED:
            self._plan.notice(NotPreloaded(arguments[0], arguments[1]))
        elif event == LEFT_OUT and template is self._next.template:
            self._next.leave_out(*arguments)

    def lost(self, template: Template, left: dict[AttemptKey, int]) -> None:
        """A template is gone, and with it the word on these attempts, which run: they are watched as adopted ones are."""
        self._retired.discard(template)
        self._closed.add(template)
        if template is self._template and template.is_ready:
            self._template = None
        for key, pid in left.items():
            self.watch_stranger(key, pid)

    def _has_gone(self, template: Template) -> None:
        """A template without a connection has ended."""
        if template is self._next.template:
            self._next.has_ended(template)
        elif not template.is_ready and template is self._template:
            self._template, self._problem = None, template.never_ready()

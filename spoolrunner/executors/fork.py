"""A fork of a small template process for each job: the fastest way on POSIX.

One template serves (`forkserver`). It is replaced when it dies, when what lies at the paths of the installation is another, and
when code that it has imported changed. If modules are to be preloaded, a second one imports them meanwhile, and takes the
first one's place when it is ready: whatever an import does, jobs are started, with a fresh import until then. All is done by
the dispatcher's own thread.
"""

from __future__ import annotations

from typing import Any

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, Exited, LocalExecutor, Plan, Report
from spoolrunner.executors.connection import Template, start_template
from spoolrunner.executors.frames import EXITED, IMPORTED, LEFT_OUT, OUTDATED, READY, SKIPPED, STARTED
from spoolrunner.executors.places import places_of
from spoolrunner.spool import traces
from spoolrunner.spool.paths import Layout
from spoolrunner.spool.settling_rules import Usage
from spoolrunner.system import processes
from spoolrunner.telling.events import NotPreloaded, Preloaded


class ForkExecutor(LocalExecutor):
    """Forks from a template process, which has the modules imported that are to be preloaded."""

    def __init__(self, plan: Plan, report: Report) -> None:
        super().__init__(plan, report)
        self._preload = list(plan.preload)
        self._places = places_of(plan)
        self._template: Template | None = None
        self._next: Template | None = None
        """The one that preloads, and is not ready yet."""
        self._retired: set[Template] = set()
        """Those whose last job has not ended yet."""
        self._stale = False
        self._serving: dict[AttemptKey, Template] = {}
        self._to_end: set[AttemptKey] = set()

    def prepare(self) -> None:
        """Start a template. StartError when that is not possible."""
        self._places.have_changed()  # what counts from now on is what lies there now
        self._serve_anew()

    def start(self, assignment: Assignment) -> None:
        """Start the attempt, unless it was started. StartError when it is not possible."""
        key = AttemptKey(assignment.job_id, assignment.number)
        if key in self._pids:
            return
        if self._places.have_changed() or self._stale:
            self._retire()
        template = self._template
        if template is None or template.is_gone:
            template = self._serve_anew()
        self.know(assignment)
        self._pids[key] = 0
        self._serving[key] = template
        template.start(key, assignment)

    def pid(self, key: AttemptKey) -> int | None:
        """The process of an attempt that is not forgotten; None while it is not known: then the template is asked."""
        known = super().pid(key)
        if known is None and key in self._serving:
            self._serving[key].ask()
        return known

    def ask_to_end(self, key: AttemptKey) -> None:
        """Send its process tree the terminate signal, as soon as its pid is known."""
        self._to_end.add(key)
        if self.pid(key) is not None:
            self._end_now(key)

    def forget(self, key: AttemptKey) -> None:
        """The attempt is settled."""
        super().forget(key)
        self._serving.pop(key, None)
        self._to_end.discard(key)

    def children(self) -> set[int]:
        """The templates, and the processes of jobs: what becomes of these is heard from their templates."""
        templates = (self._template, self._next, *self._retired)
        return super().children() | {template.pid for template in templates if template is not None}

    def renew(self) -> None:
        """Code on disk changed: the next job is forked from a new template. What runs is not disturbed. From any thread."""
        self._stale = True

    def replan(self, plan: Plan) -> None:
        """Start a template of another plan, from which the next job is forked. StartError: all stays as it is then."""
        made = start_template(plan, [], self)
        super().replan(plan)
        self._preload, self._places = list(plan.preload), places_of(plan)
        self._retire()
        self._template, self._stale = made, False
        self._preload_anew()

    def close(self) -> None:
        """Let the templates go. What runs, runs on."""
        self._give_up_next()
        for template in [*self._retired, *([self._template] if self._template is not None else [])]:
            template.close()
        self._retired.clear()
        self._template = None

    # -- which template serves

    def _serve_anew(self) -> Template:
        """Start a template that serves at once, and one that preloads."""
        self._stale = False  # before anything is imported: what changes from now on makes it stale again
        self._template = made = start_template(self._plan, [], self)
        self._preload_anew()
        return made

    def _preload_anew(self) -> None:
        """Start a template that imports what can be preloaded, and serves when it is ready."""
        self._give_up_next()
        if self._preload:
            try:
                self._next = start_template(self._plan, self._preload, self)
            except StartError as error:
                self._plan.notice(NotPreloaded(", ".join(self._preload), str(error)))

    def _retire(self) -> None:
        """Let no job be started any more from what there is."""
        self._give_up_next()
        self._retire_serving()
        self._template = None

    def _retire_serving(self) -> None:
        if self._template is not None and not self._template.is_gone:
            self._template.retire()
            self._retired.add(self._template)

    def _give_up_next(self) -> None:
        if self._next is not None:
            self._next.kill()
            self._next = None

    def _promote(self) -> None:
        """The template that preloads is ready: from now on it serves."""
        ready, self._next = self._next, None
        self._retire_serving()
        self._template = ready

    def _leave_out(self, name: str, why: str) -> None:
        """Preload all but that module: its jobs import it themselves, and whatever it does is their affair."""
        self._plan.notice(NotPreloaded(name, why))
        self._preload.remove(name)
        self._preload_anew()

    # -- what a template calls, when the dispatcher listens

    def heard(self, template: Template, event: str, *arguments: Any) -> None:
        """Take a message of a template."""
        if event == STARTED:
            job_id, number, pid = arguments
            key = AttemptKey(job_id, number)
            self._learn(key, pid)
            self._end_now(key)
        elif event == EXITED:
            job_id, number, pid, status, cpu_s, max_rss = arguments
            key = AttemptKey(job_id, number)
            self._learn(key, pid)
            usage = None if status is None else Usage(cpu_s, max_rss)
            self._has_ended(key, status, usage, left=self._may_have_left(key, pid))
        elif event == READY:
            if template is self._next:
                self._promote()
            if template is self._template:
                self._plan.loaded(arguments[0])
        elif event == OUTDATED:
            if template is self._template:
                self.renew()
        elif event == IMPORTED:
            self._plan.notice(Preloaded(*arguments))
        elif event == SKIPPED:
            self._plan.notice(NotPreloaded(arguments[0], arguments[1]))
        elif event == LEFT_OUT and template is self._next:
            self._leave_out(*arguments)

    def lost(self, template: Template, keys: list[AttemptKey]) -> None:
        """A template is gone, and with it the word on these attempts: those that run are watched as adopted ones are."""
        self._retired.discard(template)
        if template is self._next:
            self._next = None
            self._lost_next(template)
        for key in keys:
            pid = self._pids.get(key, 0) or self._pid_by_marker(key)
            if pid:
                self.watch_stranger(key, pid)
            else:
                self._report(Exited(key, None))

    def _pid_by_marker(self, key: AttemptKey) -> int:
        """The pid of a job's process that lives, by the marker that it has left; 0 when there is none."""
        try:
            marker = traces.peek(Layout(self._plan.root).lock(key.job_id)).marker
        except OSError:
            return 0  # then it is found out when the attempt is to be settled, which needs that file too
        is_its = marker is not None and marker.is_start and marker.attempt == key.number
        return marker.pid if marker is not None and is_its and self.lives(marker) else 0

    def _lost_next(self, template: Template) -> None:
        status, signal = processes.exit_reason(template.status or 0)
        how = f"status {status}" if signal is None else processes.signal_name(signal)
        if template.importing:
            self._leave_out(template.importing, f"its import ended the template ({how})")
        else:  # by nobody's import, so that another one might end the same way
            self._plan.notice(NotPreloaded(", ".join(self._preload), f"the template ended ({how})"))

    def _learn(self, key: AttemptKey, pid: int) -> None:
        if key in self._pids:
            self._pids[key] = pid

    def _end_now(self, key: AttemptKey) -> None:
        if key in self._to_end:
            self._to_end.discard(key)
            super().ask_to_end(key)

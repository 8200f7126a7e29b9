"""A fresh interpreter for each job: works on every platform.

One is started ahead and waits for its job, so that a job need not wait for it. What is its standard output at first is the pipe
by which it is told its job; when that closes and brought nothing, the dispatcher is gone, and it ends too. By what is its
standard input at first it says that it runs our program. The first one has to say so before any job is started, and again when
the installation is another, or one has failed to: what cannot run our program makes no attempt.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import threading

from spoolrunner.attempt.assignment import Assignment
from spoolrunner.attempt.runner import told
from spoolrunner.attempt.settings import Settings
from spoolrunner.errors import StartError
from spoolrunner.executors.base import AttemptKey, NotStarted, Plan, Report
from spoolrunner.executors.interpreter import Interpreter
from spoolrunner.executors.local import LocalExecutor
from spoolrunner.executors.places import places_of
from spoolrunner.executors.spawned import PROGRAM, Spawned, start
from spoolrunner.spool.settling_rules import Usage
from spoolrunner.system import clock

_LOOK_PAUSE = 0.02
"""Seconds between two looks at what comes by no descriptor: the end of a process that was let go, or of a search."""
_COMES = 60.0
"""Seconds for an interpreter to come to our program."""


class SpawnExecutor(LocalExecutor):
    """Starts an interpreter for each attempt."""

    def __init__(self, plan: Plan, report: Report) -> None:
        super().__init__(plan, report)
        self._settings = Settings.from_bytes(plan.settings)
        self._interpreter = Interpreter(plan.python, plan.folder, plan.environment)
        self._places = places_of(plan)
        self._spare: Spawned | None = None
        self._come_by = 0.0
        """When the spare one is given up, if it has not come to our program (monotonic)."""
        self._is_proven = False
        """Whether an interpreter as they are started now is known to run our program."""
        self._used: dict[AttemptKey, Spawned] = {}
        self._leaving: list[Spawned] = []
        """Those that we do without, and have not collected."""

    def prepare(self) -> None:
        """See that an interpreter waits for its job. StartError when none can, or the last one could not run our program."""
        if self._places.have_changed():
            self._interpreter.forget()
        if self._interpreter.is_outdated:
            self._do_without_spare()
            self._is_proven = False
        if (self._interpreter.is_outdated or self._interpreter.is_searching) and not self._interpreter.search():
            return
        spare = self._spare
        if spare is None:
            self._start_spare()
        elif not spare.is_heard and not self._is_proven and clock.SYSTEM.monotonic() > self._come_by:
            self._do_without_spare()
            spare.process.kill()
            raise StartError(f"{self._plan.python} did not come to our program within {_COMES:g} s")
        elif spare.is_heard and not spare.has_come:
            self._fail(spare)

    def _fail(self, spare: Spawned) -> None:
        """Raise why it never came to our program, once that is known."""
        status = spare.process.poll()
        if status is not None:
            self._spare, self._is_proven = None, False
            raise StartError(spare.problem(self._plan.python, status))
        if clock.SYSTEM.monotonic() > self._come_by:
            spare.process.kill()

    @property
    def is_ready(self) -> bool:
        """Whether an interpreter waits that runs our program, or is like others that do."""
        spare = self._spare
        return spare is not None and (spare.has_come or (self._is_proven and not spare.is_heard))

    def next_in(self, now: float) -> float:
        """Seconds until `work` has something to do."""
        is_awaited = self._interpreter.is_searching or (self._spare is not None and not self.is_ready)
        return min(super().next_in(now), _LOOK_PAUSE if is_awaited or self._leaving else math.inf)

    def work(self, now: float) -> None:
        """Collect those that we do without."""
        super().work(now)
        ended = [spawned for spawned in self._leaving if spawned.has_ended(now)]
        for spawned in ended:
            self._leaving.remove(spawned)
            self._listen_to(spawned)

    def start(self, assignment: Assignment) -> None:
        """Start the attempt, unless it was started. StartError when it is not possible."""
        key = AttemptKey(assignment.job_id, assignment.number)
        if key in self._pids:
            return
        self.know(assignment)
        data = told(self._settings, assignment.to_bytes(), os.getpid())
        spawned, self._spare = self._spare, None
        if spawned is None or not self._tell(spawned, data):
            spawned = self._start_ahead()
            if not self._tell(spawned, data):
                raise StartError(f"{self._plan.python} ended as soon as it was started")
        self._used[key] = spawned
        process = spawned.process
        if sys.platform == "win32":
            self.watch(key, process.pid, lambda: (process.wait(), None))
        else:
            self.watch_child(key, process.pid)
            # wait4 collects it. A Popen that knew of no end would be kept by subprocess, which collects it at the next start.
            process.returncode = 0
        try:
            if not self._interpreter.is_outdated:  # else it is searched anew, for which nobody waits
                self._start_spare()
        except StartError:
            return  # `prepare` reports it, if it is still so then

    def children(self) -> set[int]:
        """The processes of jobs, the spare one, and those that we do without."""
        others = [*self._leaving, *([] if self._spare is None else [self._spare])]
        return super().children() | {spawned.process.pid for spawned in others}

    def forget(self, key: AttemptKey) -> None:
        """The attempt is settled."""
        super().forget(key)
        self._used.pop(key, None)

    def replan(self, plan: Plan) -> None:
        """Start the next interpreter by another plan. StartError when there is no such program: all stays as it is then."""
        if shutil.which(plan.python, path=plan.environment.get("PATH")) is None:
            raise StartError(f"cannot start {plan.python}: there is no such program")
        super().replan(plan)
        self._settings, self._places = Settings.from_bytes(plan.settings), places_of(plan)
        self._interpreter = Interpreter(plan.python, plan.folder, plan.environment)
        self._do_without_spare()
        self._is_proven = False

    def close(self) -> None:
        """Let the spare process go. What runs, runs on."""
        self._do_without_spare()
        for spawned in self._leaving:
            spawned.wait()
            self._listen_to(spawned)
        self._leaving.clear()

    def _do_without_spare(self) -> None:
        if self._spare is not None:
            self._spare.let_go()
            self._leaving.append(self._spare)
            self._spare = None

    def _tell(self, spawned: Spawned, data: bytes) -> bool:
        """Tell it its job; False when it has died."""
        try:
            is_told = spawned.tell(data)
        except StartError:
            self._leaving.append(spawned)
            raise
        if not is_told:
            self._leaving.append(spawned)
        return is_told

    def _start_spare(self) -> None:
        self._spare = self._start_ahead()
        self._come_by = clock.SYSTEM.monotonic() + _COMES

    def _start_ahead(self) -> Spawned:
        made = start(self._interpreter.command(PROGRAM, ()), self._plan)
        if sys.platform != "win32":
            self._plan.sources.listen(made.sign, lambda: self._listen_to(made))
        elif not self._is_proven:
            try:
                threading.Thread(target=self._wait_for_sign, args=(made,), daemon=True).start()
            except RuntimeError as error:
                made.let_go()
                self._leaving.append(made)
                raise StartError(f"cannot wait for an interpreter: {error}; see to the limits of threads") from None
        return made

    def _listen_to(self, spawned: Spawned) -> None:
        """Hear what it has said of itself, which is the only time; nothing when that was done."""
        if spawned.is_closed:
            return
        self._plan.sources.ignore(spawned.sign)
        spawned.hear()
        spawned.close_sign()
        self._is_proven = self._is_proven or spawned.has_come

    def _wait_for_sign(self, spawned: Spawned) -> None:
        spawned.hear()
        self._is_proven = self._is_proven or spawned.has_come

    def _has_ended(self, key: AttemptKey, status: int | None, usage: Usage | None, *, left: bool = True) -> None:
        spawned = self._used.pop(key, None)
        if spawned is not None:
            spawned.hear()
            if sys.platform == "win32":
                spawned.close_sign()
        if spawned is None or spawned.has_come:
            super()._has_ended(key, status, usage, left=left)
            return
        self._exited.add(key)
        self._is_proven = False
        self._report(NotStarted(key, spawned.problem(self._plan.python, status)))

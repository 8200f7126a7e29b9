"""The template process of the fork executor: has the allowed modules imported, and forks one fresh process a job.

Started by the dispatcher with a socket as standard input. It reads one line a request and answers one line an event, all
as JSON arrays; when the socket closes, the dispatcher is gone and so is the template, while its jobs run on. What it
imports is copied with every fork, so it imports next to nothing, starts no threads, and knows no executor.
"""

from __future__ import annotations

import gc
import os
import select
import sys
import traceback  # noqa: F401 -- so that no job that fails has to import it
from typing import Any, NamedTuple, NoReturn

import orjson

from spoolrunner.attempt import callables, rehearsal, runner
from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.exit import exit_after
from spoolrunner.attempt.settings import Settings
from spoolrunner.spool.paths import Layout
from spoolrunner.system import clock, processes

assert sys.platform != "win32"  # noqa: S101 -- there is no fork; the executor that starts this is not chosen there

STARTED, EXITED, READY, THREADS, SKIPPED = "started", "exited", "ready", "threads", "skipped"
START, WHO, RETIRE = "start", "who", "retire"
_SOCKET = 0
_UNWATCHED_PAUSE, _WARM_UP_PAUSE = 10, 20
"""Milliseconds."""
_FRESH = "from spoolrunner.attempt.runner import main; main()"
_PYTHON_ITSELF = os.path.dirname(os.__file__)


class _Spare(NamedTuple):
    """A process that was forked ahead, and the pipe by which it gets its job."""

    pid: int
    pipe: int


class Template:
    """Forks on request and reports what its children come to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._layout = Layout(settings.root)
        self._callees: dict[tuple[str, str], Callee] = {}
        self._code: dict[str, tuple[int, int]] = {}
        self._children: dict[int, tuple[str, int]] = {}
        self._ends: dict[int, int] = {}
        self._spare: _Spare | None = None
        self._retiring = False
        self._socket = os.dup(_SOCKET)
        _null_input()
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def preload(self, jobs: list[str]) -> None:
        """Import ahead what these jobs name, and report the files that came with it. A module that starts a thread ends us."""
        before = set(sys.modules)
        began = int(clock.SYSTEM.wall() * 1e9)
        sys.path[:0] = self._settings.python_path
        for job in jobs:
            try:
                for method in self._settings.allowed[job]:
                    self._callees[job, method] = callables.resolve(job, method)
            except BaseException as error:
                # The job's own process will meet the same error and record it; here it only costs the head start.
                self._say(SKIPPED, job, f"{type(error).__name__}: {error}")
            if _threads() > 1:
                self._say(THREADS, job)
                sys.exit(0)
        files = _code_files([sys.modules[name] for name in set(sys.modules) - before])
        # Written since we began: which version was imported cannot be known, so it counts as changed.
        self._code = {path: stamp if stamp[0] < began else (0, 0) for path, stamp in files.items()}
        self._rehearse()
        gc.collect()
        gc.freeze()
        gc.disable()
        self._say(READY, sorted(files))

    def _rehearse(self) -> None:
        for _ in range(rehearsal.REHEARSALS):
            os.environ[processes.MARK] = ""
            self._is_outdated()
        try:
            rehearsal.rehearse(self._settings, self._layout)
        except OSError as error:
            self._say(SKIPPED, "the rehearsal", str(error))  # jobs start all the same, each a little later

    def serve(self) -> None:
        """Fork and report until the dispatcher closes the socket or, after RETIRE, until the last child has ended."""
        rest = b""
        while not self._retiring or self._children:
            if self._spare is None and not self._retiring:
                self._fork_ahead()
            # A child without a descriptor wakes no poll when it ends: it is looked for at times.
            pause = _UNWATCHED_PAUSE if len(self._ends) < len(self._children) else None
            ready = [descriptor for descriptor, _ in self._poll.poll(pause)]
            if ready != [self._socket]:
                self._reap()
            if self._socket in ready:
                data = _heard(self._socket, 65536)
                if not data:
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._obey(*orjson.loads(line))

    def _obey(self, verb: str, *arguments: Any) -> None:
        if verb == RETIRE:
            self._retiring = True
            self._drop_spare()
            return
        if verb == WHO:
            for pid, (job_id, number) in self._children.items():
                self._say(STARTED, job_id, number, pid)
            return
        job_id, number, _ = arguments
        pid = self._use_spare(arguments) or os.fork()
        if pid == 0:
            self._become_job(*arguments)
        self._children[pid] = (job_id, number)
        end = _descriptor_of(pid)
        if end is not None:
            self._ends[pid] = end
            self._poll.register(end, select.POLLIN)

    def _fork_ahead(self) -> None:
        """Fork the process of the next job now, so that it only has to get the id."""
        try:
            theirs, ours = os.pipe()
        except OSError:
            return  # no descriptors left: the next job is forked when it comes
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            self._warm_up(theirs)
            request = b""
            while not request.endswith(b"\n"):
                data = os.read(theirs, 65536)
                if not data:
                    os._exit(0)  # the template is gone, or does without
                request += data
            os.close(theirs)
            self._become_job(*orjson.loads(request))
        os.close(theirs)
        self._spare = _Spare(pid, ours)

    def _warm_up(self, request: int) -> None:
        """In a child that is not needed at once: go through an attempt, so that the real one finds its memory copied."""
        waiting = select.poll()
        waiting.register(request, select.POLLIN)
        if waiting.poll(_WARM_UP_PAUSE):
            return
        try:
            rehearsal.rehearse(self._settings, self._layout, 1)
        except OSError:
            return  # the job itself will report what is wrong with the disk

    def _use_spare(self, job: tuple[Any, ...]) -> int:
        """Give the job to the process that was forked ahead; its pid, or 0 if there is none."""
        if self._spare is None:
            return 0
        pid = self._spare.pid
        try:
            os.write(self._spare.pipe, orjson.dumps(job) + b"\n")
        except BrokenPipeError:
            pid = 0  # somebody killed it
        self._drop_spare()
        return pid

    def _drop_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare.pipe)
            self._spare = None

    def _reap(self) -> None:
        while self._children or self._spare is not None:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if self._spare is not None and pid == self._spare.pid:
                self._drop_spare()
            job = self._children.pop(pid, None)
            end = self._ends.pop(pid, None)
            if end is not None:
                self._poll.unregister(end)
                os.close(end)
            if job is not None:
                self._say(EXITED, *job, pid, os.waitstatus_to_exitcode(status))

    def _say(self, *event: Any) -> None:
        data = orjson.dumps(event) + b"\n"
        while data:
            try:
                data = data[os.write(self._socket, data) :]
            except ConnectionError:
                os._exit(0)  # the dispatcher is gone

    def _become_job(self, job_id: str, number: int, mark: str) -> NoReturn:
        """In the child: shed the template, run the one job, and end without ever returning."""

        def work() -> int:
            for descriptor in (self._socket, *self._ends.values()):
                os.close(descriptor)
            os.setsid()
            os.environ[processes.MARK] = mark
            gc.enable()
            if self._is_outdated():
                self._run_afresh(job_id, number)
            return runner.run(self._settings, self._layout, job_id, number, self._callees)

        exit_after(work)

    def _is_outdated(self) -> bool:
        """Whether code that we have imported is another on disk now."""
        for path, stamp in self._code.items():  # noqa: SIM110 -- a generator would cost each job its making
            if _stamp(path) != stamp:
                return True
        return False

    def _run_afresh(self, job_id: str, number: int) -> None:
        """Code that we have imported is another on disk now: become a new interpreter, which imports that."""
        import tempfile

        with tempfile.TemporaryFile() as settings:
            settings.write(self._settings.to_bytes())
            settings.seek(0)
            os.dup2(settings.fileno(), 0)
        os.execv(sys.executable, [sys.executable, "-P", "-c", _FRESH, job_id, str(number)])


def main() -> None:
    """Serve, with the number of bytes of the settings and then these themselves first on the socket."""
    head = b""
    while not head.endswith(b"\n"):
        head += _heard(_SOCKET, 1) or sys.exit()
    size = int(head)
    data = b""
    while len(data) < size:
        data += _heard(_SOCKET, size - len(data)) or sys.exit()
    question = orjson.loads(data)
    template = Template(Settings.from_bytes(orjson.dumps(question["settings"])))
    template.preload(question["preload"])
    template.serve()


def _heard(descriptor: int, size: int) -> bytes:
    """Return what the dispatcher sent; nothing when it is gone, also when it died before it read all our messages."""
    try:
        return os.read(descriptor, size)
    except ConnectionError:
        return b""


def _code_files(modules: list[Any]) -> dict[str, tuple[int, int]]:
    """The source files of these modules with their stamps, but for those of Python itself."""
    found = {}
    for module in modules:
        path = getattr(module, "__file__", None)
        if path and (not path.startswith(_PYTHON_ITSELF) or "site-packages" in path):
            found[path] = _stamp(path)
    return found


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)  # removed: another than the one that was imported
    return status.st_mtime_ns, status.st_size


def _descriptor_of(pid: int) -> int | None:
    """A descriptor that becomes readable when the process ends; None where there is no such thing (macOS), or none left."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _threads() -> int:
    """The threads of this process, those that Python knows nothing of included where the system tells."""
    try:
        return len(os.listdir("/proc/self/task"))
    except FileNotFoundError:
        threading = sys.modules.get("threading")
        return threading.active_count() if threading is not None else 1


def _null_input() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

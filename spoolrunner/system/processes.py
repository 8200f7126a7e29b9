"""Processes of this machine: which one it is, whether it lives, which processes belong to it, and how to end them.

A pid and a start time together identify a process, since pids are used again; the start time carries the id of the boot,
since both repeat after a restart of the machine. Knows nothing of jobs or files of the spool.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil

NEEDED_VARIABLES = ("SYSTEMROOT",) if sys.platform == "win32" else ()
"""Variables that must be in the environment; without them no Python starts."""
MARK = "SPOOLRUNNER_JOB"
"""An environment variable: its value marks a job's process and all that inherits its environment."""


if sys.platform == "win32":

    def keep_together() -> None:
        """Put this process and all that it starts from now on into a job object, which ends with it; OSError if refused."""
        from spoolrunner.system import winapi

        if MARK in os.environ:
            winapi.enter(os.environ[MARK])

    def free_children() -> None:
        """Let the processes that this one has started outlive it: it ends as it should, so they run on purpose."""
        from spoolrunner.system import winapi

        winapi.leave_children()

    def end_together(mark: str) -> None:
        """End at once all processes in the job object of the process with that mark."""
        from spoolrunner.system import winapi

        winapi.end(mark)

    def usage() -> dict[str, Any]:
        """Return what this process has used so far: `cpu_s`, seconds of CPU time."""
        times = os.times()
        return {"cpu_s": round(times.user + times.system, 6)}

else:
    import resource

    def keep_together() -> None:
        """Do nothing: this process leads a session, and `tree` finds its members."""

    def free_children() -> None:
        """Do nothing: the end of this process ends no other."""

    def end_together(mark: str) -> None:
        """Do nothing: `tree` finds all that belong together, and `kill` ends them."""

    def usage() -> dict[str, Any]:
        """Return what this process and its ended children have used: `cpu_s`, and `max_rss_kib` of the largest of them."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak = max(own.ru_maxrss, children.ru_maxrss)
        return {
            "max_rss_kib": peak // 1024 if sys.platform == "darwin" else peak,
            "cpu_s": round(own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime, 6),
        }


@cache
def host() -> str:
    """Return the name of this machine."""
    if sys.platform != "win32":
        return os.uname().nodename
    import socket

    return socket.gethostname()


def boot_id() -> str:
    """Return an id that changes with each start of the machine; empty where the system offers none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return stream.read().strip()[:8]
    except OSError:
        return ""


def started(pid: int, boot: str) -> str | None:
    """Return the start time of the process as an opaque word; None when it is gone or a zombie. `boot` is our `boot_id()`."""
    if sys.platform == "linux":
        try:
            fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split(None, 20)
        except (FileNotFoundError, ProcessLookupError):
            return None
        # proc(5): field 3 is the state and field 22 the start in clock ticks after boot; ")" ends field 2.
        return None if fields[0] in (b"Z", b"X") else f"{fields[19].decode()}-{boot}"
    if sys.platform == "win32":
        from spoolrunner.system import winapi

        began = winapi.began(pid)
        return None if began is None else str(began)
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.3f}"
    except psutil.NoSuchProcess:
        return None


def lives(pid: int, start: str, boot: str) -> bool:
    """Return whether the process that had this pid and this start time still runs."""
    return started(pid, boot) == start


def wait(pid: int) -> None:
    """Return when the process, which need not be a child, has ended; its parent may not have collected its status yet."""
    if sys.platform == "linux":
        import select

        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        except OSError:
            pass  # an old kernel, or a sandbox that forbids it
        else:
            try:
                ended = select.poll()
                ended.register(descriptor, select.POLLIN)
                ended.poll()
            finally:
                os.close(descriptor)
            return
    import psutil

    try:
        psutil.Process(pid).wait()
    except psutil.NoSuchProcess:
        return


def tree(pid: int, mark: str) -> list[psutil.Process]:
    """Return the process, its session, the processes with `mark` in their environment, and the descendants of all of these.

    Descendants alone would miss those that lost their parent, the session those that left it; both inherit the mark, unless
    they cleaned their environment. This process is never among them.
    """
    import psutil

    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid in (os.getpid(), 0, 1) or process.pid in found:
            continue
        if process.pid == pid or _in_session(process.pid, pid) or _is_marked(process, mark):
            found[process.pid] = process
            for child in _children(process):
                found[child.pid] = child
    found.pop(os.getpid(), None)
    return list(found.values())


def still_running(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those of `processes` that are neither gone nor zombies."""
    return [process for process in processes if _is_running(process)]


def ask_to_end(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Send each process the terminate signal, and return those that could be reached. Windows has no signal: it ends them."""
    return _signal(processes, "terminate")


def kill(processes: list[psutil.Process]) -> list[psutil.Process]:
    """End each process at once, and return those that could be reached."""
    return _signal(processes, "kill")


def exit_reason(status: int) -> tuple[int | None, int | None]:
    """Return (exit status, signal) of a `Popen.returncode`, one of them None: a negative one means ended by that signal."""
    return (None, -status) if status < 0 else (status, None)


def signal_name(number: int) -> str:
    """Return the name of a signal: SIGKILL for 9, and so on."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _read(path: str) -> bytes:
    """Return the first 4096 bytes of a file in /proc; a buffered reader would take twice the time."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _signal(processes: list[psutil.Process], verb: str) -> list[psutil.Process]:
    import psutil

    reached = []
    for process in processes:
        try:
            getattr(process, verb)()
        except psutil.Error:
            continue  # it ended by itself meanwhile, or belongs to another user by now
        reached.append(process)
    return reached


def _children(process: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []  # gone, or of another user


def _in_session(pid: int, leader: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        return os.getsid(pid) == leader
    except OSError:
        return False  # gone, or of another user


def _is_marked(process: psutil.Process, mark: str) -> bool:
    import psutil

    try:
        return process.environ().get(MARK) == mark
    except (psutil.Error, OSError):
        return False  # gone, or of another user


def _is_running(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def holders(path: str) -> list[psutil.Process]:
    """Return the processes, other than this one, that have the file at `path` open."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and any(file.path == path for file in process.open_files()):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone, or of another user
    return found


def holder_of_removed(path: str) -> int | None:
    """Return the pid of a process that has the removed file of `path` open; None without one, and where there is no /proc."""
    removed = f"{os.path.realpath(path)} (deleted)"
    try:
        pids = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except FileNotFoundError:
        return None
    return next((pid for pid in pids if pid != os.getpid() and removed in _open_paths(pid)), None)


def _open_paths(pid: int) -> set[str]:
    folder, found = f"/proc/{pid}/fd", set()
    try:
        for descriptor in os.listdir(folder):
            found.add(os.readlink(f"{folder}/{descriptor}"))
    except OSError:
        return found  # gone, or of another user
    return found


class Machine:
    """What a dispatcher asks of the machine about itself; a test may put another in its place."""

    def boot_id(self) -> str:
        """The name of the time since the machine was started, or an empty one."""
        return boot_id()

    def started(self, pid: int, boot: str) -> str | None:
        """The start of the process as an opaque word, or None when it is gone."""
        return started(pid, boot)

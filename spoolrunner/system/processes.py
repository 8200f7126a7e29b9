"""Processes of this machine: which one it is, whether it lives, which processes belong to it, and how to end them.

A pid and a start time together identify a process, since pids are used again; the start time carries the id of the boot,
since both repeat after a restart of the machine. Knows nothing of jobs or files of the spool.
"""

from __future__ import annotations

import os
import sys

from spoolrunner.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import psutil

NEEDED_VARIABLES = ("SYSTEMROOT",) if sys.platform == "win32" else ()
"""Variables that must be in the environment; without them no Python starts."""
_NO_DESCRIPTOR_PAUSE = 1.0
"""Seconds after which a process is looked at again that could not be, for want of a descriptor."""
HAS_JOB_OBJECTS = sys.platform == "win32"
"""Whether a process has to do something for what it starts to be found later."""
MARK = "SPOOLRUNNER_JOB"
_MARK_BYTES = MARK.encode()
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

    def carry_mark(value: str) -> None:
        """Let this process, and all that inherits its environment, carry that mark."""
        os.environ[MARK] = value

    def end_together(mark: str) -> None:
        """End at once all processes in the job object of the process with that mark."""
        from spoolrunner.system import winapi

        winapi.end(mark)

else:
    if TYPE_CHECKING:
        import resource

    def keep_together() -> None:
        """Do nothing: this process leads a session, and `tree` finds its members."""

    def free_children() -> None:
        """Do nothing: the end of this process ends no other."""

    def carry_mark(value: str) -> None:
        """Let this process, and all that inherits its environment, carry that mark.

        It is what `os.environ[MARK] = value` comes to, without its classes: they touch 30 pages, which a forked process has to
        copy.
        """
        data = value.encode("utf-8", "surrogateescape")
        os.putenv(_MARK_BYTES, data)
        os.environ._data[_MARK_BYTES] = data  # type: ignore[attr-defined]  # noqa: SLF001

    def end_together(mark: str) -> None:
        """Do nothing: `tree` finds all that belong together, and `kill` ends them."""

    def usage_of(measured: resource.struct_rusage) -> tuple[float, int]:
        """Return what a process and its ended children have used: seconds of CPU time, and KiB of the largest of them."""
        peak = measured.ru_maxrss
        return round(measured.ru_utime + measured.ru_stime, 6), peak // 1024 if sys.platform == "darwin" else peak


def mark(root: str, job_id: str, number: int, stamp: tuple[int, int, int], home: str) -> str:
    """Return the value of MARK for the processes of attempt `number` of a job whose file has that stamp.

    `root` and `home` say of which spool. The stamp tells what a job of that id was allowed to leave from what this one leaves,
    since ids are used again.
    """
    inode, _, mtime_ns = stamp
    return f"{root}:{job_id}:{number}:{inode:x}.{mtime_ns:x}:{home}"


def marks_of(root: str, job_id: str, number: int) -> bytes:
    """Return what the environment variable begins with of all that is marked by that attempt of any job of that id."""
    return f"{MARK}={root}:{job_id}:{number}:".encode("utf-8", "surrogateescape")


def is_marked_by(value: str, root: str, home: str) -> bool:
    """Return whether a value of MARK is of any process of that spool: one with that root and that `home`."""
    return value.startswith(f"{root}:") and value.endswith(f":{home}")


def home(locks: str) -> str:
    """Return device and inode of the folder of a spool's locks, by which it is told from a copy of it; empty without one."""
    try:
        status = os.stat(locks)
    except FileNotFoundError:
        return ""
    return f"{status.st_dev:x}.{status.st_ino:x}"


def known_by(pid: int, boot: str) -> str:
    """Return the word by which this process, whose pid is given, is known later to `lives`. `boot` is our `boot_id()`.

    On Linux it is the time since boot: a process that has this pid later, and started after it, is another one. That spares a
    process that hardly lives longer than the question takes a look into /proc.
    """
    since_boot = clock.since_boot()
    return f"<{since_boot:.2f}-{boot}" if since_boot else started(pid, boot) or ""


def started(pid: int, boot: str) -> str | None:
    """Return the start time of the process as an opaque word; None when it is gone or a zombie. `boot` is our `boot_id()`."""
    if sys.platform == "linux":
        try:
            fields = read_small(f"/proc/{pid}/stat").rpartition(b")")[2].split(None, 20)
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
    """Return whether the process that had this pid, and was known by this start time or word, still runs."""
    now = started(pid, boot)
    if now is None or not start.startswith("<"):
        return now == start
    latest, _, its_boot = start[1:].partition("-")
    ticks, _, _ = now.partition("-")
    return its_boot == boot and int(ticks) / _ticks_a_second() <= float(latest)


def descriptor_of(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None where there is none such (macOS), or none left."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None  # gone, an old kernel, or a sandbox that forbids it


def wait(pid: int) -> None:
    """Return when the process, which need not be a child, has ended; its parent may not have collected its status yet."""
    import psutil

    while True:
        try:
            psutil.Process(pid).wait()
        except psutil.NoSuchProcess:
            return
        except OSError:
            clock.SYSTEM.sleep(_NO_DESCRIPTOR_PAUSE)
        else:
            return


def tree(pid: int | None, mark: str) -> list[psutil.Process]:
    """Return the process, its session, the processes with `mark` in their environment, and the descendants of all of these.

    With None for the pid, those with the mark and their descendants. Descendants alone would miss those that lost their parent,
    the session those that left it; both inherit the mark, unless they cleaned their environment. This process is never among
    them.
    """
    import psutil

    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        if process.pid in (os.getpid(), 0, 1) or process.pid in found:
            continue
        is_led = pid is not None and (process.pid == pid or _in_session(process.pid, pid))
        if is_led or (mark and _is_marked(process, mark)):
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


def _ticks_a_second() -> int:
    if sys.platform == "linux":
        return os.sysconf("SC_CLK_TCK")
    return 1


def read_small(path: str) -> bytes:
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

"""What an import did to a template: named, undone where that is possible, and a reason to do without it where it is harmful.

    before = Surroundings.now(); ...; effects = before.compare(); before.restore()

Only a template that preloads imports this.
"""

from __future__ import annotations

import os
import resource
import signal
import stat
import sys

from spoolrunner.system import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

assert sys.platform != "win32"  # noqa: S101 -- there is no fork, and so no template

_NEVER_SET = {int(signal.SIGKILL), int(signal.SIGSTOP)}
_SIGNALS = sorted(set(map(int, signal.valid_signals())) - _NEVER_SET)
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_NAMES = {getattr(resource, name): name for name in reversed(dir(resource)) if name.startswith("RLIMIT_")}
_LIMITS = {name: kind for kind, name in _NAMES.items()}
"""Some have two names."""
_MOST_DESCRIPTORS = 1024
"""Those that are looked for where the system does not list them."""


class Effects:
    """In words: what makes a module unfit (`harmful`), what was `undone`, and what all jobs `share` from now on."""

    __slots__ = ("harmful", "shared", "undone")

    def __init__(self) -> None:
        self.harmful: list[str] = []
        self.undone: list[str] = []
        self.shared: list[str] = []

    def words(self) -> str:
        """Return what is to be said of a module that was imported; nothing when it did nothing but that."""
        parts = [("undone", self.undone), ("shared by its jobs", self.shared)]
        return "".join(f"; {what}: {', '.join(found)}" for what, found in parts if found)


class Surroundings:
    """What a process has that an import may change, as it was at one moment."""

    def __init__(self) -> None:
        self.threads = threads()
        self.descriptors = _descriptors()
        self.handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        self.states = _signal_states()
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.environment = dict(os.environ)
        self.folder = os.getcwd()
        self.limits = {name: resource.getrlimit(kind) for name, kind in _LIMITS.items()}
        self.umask = _umask()
        self.user = _user()
        self.niceness = os.nice(0)
        self.arguments = list(sys.argv)

    def compare(self) -> Effects:
        """Return what is another now."""
        found = Effects()
        self._compare_what_lives(found)
        self._compare_signals(found)
        names = sorted(
            name for name in self.environment.keys() | os.environ.keys() if self._was(name) != os.environ.get(name)
        )
        if names:
            found.undone.append(f"environment ({', '.join(names)})")
        if _folder() != self.folder:
            found.undone.append("working directory")
        limits = [name for name, kind in _LIMITS.items() if resource.getrlimit(kind) != self.limits[name]]
        if limits:
            found.undone.append(f"limits ({', '.join(limits)})")
        if _umask() != self.umask:
            found.undone.append("umask")
        if os.nice(0) != self.niceness:
            found.undone.append("niceness")
        if sys.argv != self.arguments:
            found.undone.append("sys.argv")
        return found

    def _was(self, name: str) -> str | None:
        return self.environment.get(name)

    def _compare_what_lives(self, found: Effects) -> None:
        more = threads() - self.threads
        if more > 0:
            found.harmful.append(f"{more} thread{'s'[: more > 1]}")
        if has_children():
            found.harmful.append("child processes")
        if _user() != self.user:
            found.harmful.append("another user or group")
        opened = _descriptors().items() - self.descriptors.items()
        sockets = [number for number, (_, kind) in opened if kind == stat.S_IFSOCK]
        if sockets:
            found.harmful.append(f"{len(sockets)} open socket{'s'[: len(sockets) > 1]}")
        files = sorted(_name_of(number) for number, (_, kind) in opened if kind != stat.S_IFSOCK)
        if files:
            found.shared.append(f"open files ({', '.join(files)})")
        closed = self.descriptors.keys() - _descriptors().keys()
        if closed:
            found.harmful.append("closed descriptors of the template")

    def _compare_signals(self, found: Effects) -> None:
        changed = {number for number in _SIGNALS if signal.getsignal(number) != self.handlers[number]}
        for before, now in zip(self.states, _signal_states(), strict=True):
            changed |= {number for number in _SIGNALS if (before ^ now) >> (number - 1) & 1}
        if changed:
            names = ", ".join(processes.signal_name(number) for number in sorted(changed))
            found.undone.append(f"signal handlers ({names})")
        if signal.pthread_sigmask(signal.SIG_BLOCK, ()) != self.mask:
            found.undone.append("blocked signals")
        if any(signal.getitimer(kind)[0] for kind in _TIMERS):
            found.undone.append("timers")

    def restore(self) -> list[str]:
        """Let all be as it was, as far as that is possible; return what is not."""
        for kind in _TIMERS:
            signal.setitimer(kind, 0)
        for number, handler in self.handlers.items():
            if handler is not None:  # None was not set by Python, so that only its owner could set it
                signal.signal(number, handler)  # also where Python knows of no change: C code may have made one
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
        for name in os.environ.keys() - self.environment.keys():
            del os.environ[name]
        os.environ.update(self.environment)
        os.umask(self.umask)
        sys.argv[:] = self.arguments
        return self._restore_what_may_be_refused()

    def _restore_what_may_be_refused(self) -> list[str]:
        refused = []
        try:
            os.chdir(self.folder)
        except OSError:
            refused.append("working directory")
        try:
            if os.nice(0) != self.niceness:
                os.setpriority(os.PRIO_PROCESS, 0, self.niceness)
        except OSError:
            refused.append("niceness")
        for name, kind in _LIMITS.items():
            if resource.getrlimit(kind) != self.limits[name]:
                try:
                    resource.setrlimit(kind, self.limits[name])
                except (OSError, ValueError):
                    refused.append(name)
        return refused


def threads() -> int:
    """The threads of this process, those that Python knows nothing of included where the system tells."""
    try:
        return len(os.listdir("/proc/self/task"))
    except FileNotFoundError:
        threading = sys.modules.get("threading")
        return threading.active_count() if threading is not None else 1


def has_children() -> bool:
    """Whether there is a child, or one that has ended and was not collected."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _descriptors() -> dict[int, tuple[tuple[int, int], int]]:
    """What is open: descriptor -> (device and inode, its kind)."""
    try:
        numbers = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        numbers = list(range(_MOST_DESCRIPTORS))
    found = {}
    for number in numbers:
        try:
            status = os.fstat(number)
        except OSError:
            continue  # that of the listing itself
        found[number] = ((status.st_dev, status.st_ino), stat.S_IFMT(status.st_mode))
    return found


def _name_of(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return f"descriptor {descriptor}"


def _signal_states() -> list[int]:
    """The masks of ignored and caught signals as the system has them, where it tells."""
    try:
        with open("/proc/self/status", "rb") as stream:
            lines = [line.split() for line in stream]
    except OSError:
        return [0, 0]
    return [int(line[1], 16) for line in lines if line[0] in (b"SigIgn:", b"SigCgt:")]


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def _user() -> tuple[Any, ...]:
    return os.getuid(), os.geteuid(), os.getgid(), os.getegid(), sorted(os.getgroups())


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""  # removed

"""Jobs for the daemon tests; copied as jobs.py beside a test's config.json."""

import asyncio
import atexit
import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time

import spoolrunner

IMPORTED_BY = os.getpid()


def note(text):
    """Append a line to notes.txt in the working directory: what the outside world sees of a job."""
    with open("notes.txt", "a") as stream:
        if os.name == "nt":  # whose C library looks for the end and writes then: two processes would write to one place
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
        stream.write(f"{text}\n")


def noop():
    note("noop")


def echo(value):
    print(f"echo {value}")
    return value


def add(a, b=1):
    return a + b


def whoami():
    job = spoolrunner.current_job()
    return {"id": job.id, "attempt": job.attempt, "meta": job.meta, "cwd": os.getcwd(), "pid": os.getpid()}


async def later(value):
    await asyncio.sleep(0)
    return value


def fail(text="no luck"):
    raise RuntimeError(text)


def fail_until(number):
    if spoolrunner.current_job().attempt < number:
        raise RuntimeError("not yet")
    return spoolrunner.current_job().attempt


def die(number=9):
    note("died")
    os.kill(os.getpid(), number)


def leave(status):
    os._exit(status)


def exits(status):
    sys.exit(status)


def wait_for(path, text="waited"):
    """Run until a file appears: the test holds the end of this job in its hand."""
    note(f"begin {text}")
    while not os.path.exists(path):
        time.sleep(0.01)
    note(f"end {text}")
    return text


def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("stubborn")
    threading.Event().wait(60)


def parent(setsid=False):
    """A job with a child and a grandchild that outlive a polite end."""
    code = "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=setsid)
    note(f"child {child.pid}")
    child.wait()


def cooperative():
    note("cooperative")
    while not spoolrunner.current_job().cancel_requested:
        time.sleep(0.01)
    note("saw the cancel")


def closes_everything():
    os.closerange(3, 100)
    wait_for("go", "closed")


def chatter(size):
    sys.stdout.write("x" * size)


def unjsonable():
    return object()


def forks_in_c():
    """A fork that Python knows nothing of: the child keeps every descriptor, that of the lock too."""
    libc = ctypes.CDLL(None)
    child = libc.fork()
    if child == 0:
        libc.sleep(60)
        libc._exit(0)
    note(f"child {child}")


def removes_itself(and_dies=False):
    os.unlink(f"spool/running/{spoolrunner.current_job().id}.json")
    if and_dies:
        os._exit(1)


def surroundings():
    names = ["SIGINT", "SIGTERM", "SIGCHLD", "SIGHUP", "SIGPIPE"]
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "random": random.random(),
        "signals": [getattr(signal.getsignal(getattr(signal, name)), "name", "Python's own") for name in names],
        "stdin": sys.stdin.read(),
        "cwd": os.getcwd(),
    }


def environment():
    return dict(os.environ)


def allocates(megabytes):
    return len(bytearray(megabytes << 20))


HELD = []


def opens_files(count):
    HELD.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(count))


def spins():
    while True:
        pass


def privileges():
    with open("/proc/self/status") as stream:
        return next(line.split()[1] for line in stream if line.startswith("NoNewPrivs"))


def signals():
    ignored = [s.name for s in signal.valid_signals() if signal.getsignal(s) is signal.SIG_IGN]
    return [sorted(s.name for s in signal.pthread_sigmask(signal.SIG_BLOCK, ())), sorted(ignored)]


def was_preloaded():
    return os.getpid() != IMPORTED_BY


def leaves_work_behind():
    atexit.register(note, "exit handler")
    threading.Timer(0.2, note, ["thread"]).start()


class Counter:
    def __init__(self):
        self.start = 10

    def count(self, more):
        return self.start + more

    @classmethod
    def made(cls):
        return cls.__name__

    @staticmethod
    def plain(value):
        return value

    def hidden(self):
        note("hidden ran")


class NeedsArguments:
    def __init__(self, needed):
        self.needed = needed

    def run(self):
        return self.needed


def exits_at_sigterm():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    note("waits for SIGTERM")
    threading.Event().wait(60)


def leaves_a_child(end="returns", ignores=False):
    """Leave a child in a session of its own, and end in that way; a later attempt returns whether the child lives."""
    job = spoolrunner.current_job()
    if job.attempt > 1:
        return is_alive(int(open(f"child-{job.id}").read()))
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " if ignores else ""
    code = f"{ignore}import time; print('up', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
    child.stdout.readline()
    with open(f"child-{job.id}", "w") as stream:
        stream.write(str(child.pid))
    note(f"child {child.pid}")
    if end == "raises":
        raise RuntimeError
    if end == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if end == "goes on":
        threading.Event().wait(60)
    return None


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stream:
        return stream.read().rpartition(")")[2].split()[0] != "Z"


def leaves_orphans():
    subprocess.Popen("(echo one >> notes.txt; sleep 0.1) & (echo two >> notes.txt; sleep 0.2) &", shell=True)

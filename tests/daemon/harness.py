"""A real dispatcher in a process of its own, watched through the events it prints."""

from __future__ import annotations

import json
import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout

DEADLINE = 25.0
COMMAND = [sys.executable, "-m", "spoolrunner"]
ALLOWED = {
    "jobs": [
        "noop", "echo", "add", "whoami", "later", "fail", "fail_until", "die", "leave", "exits", "wait_for", "stubborn",
        "parent", "cooperative", "closes_everything", "chatter", "unjsonable",
        "forks_in_c", "removes_itself", "surroundings", "was_preloaded", "leaves_work_behind",
        "environment", "allocates", "opens_files", "spins", "privileges", "exits_at_sigterm", "signals",
        "leaves_a_child", "leaves_orphans",
    ],
    "jobs.Counter": ["count", "made", "plain"],
    "jobs.NeedsArguments": ["run"],
}  # fmt: skip


class Installation:
    """A folder with config.json, jobs.py and a spool."""

    def __init__(self, folder: Path, **changes):
        self.folder = folder
        self.spool = folder / "spool"
        settings = {
            "allowed_jobs": ALLOWED,
            "concurrency": 2,
            "retry_interval": 0.1,
            "retry_backoff": "fixed",
            "retry_jitter": 0,
            "kill_grace": 0.3,
            "stop_grace": 5,
            "max_retries": 1,
            **changes,
        }
        (folder / "config.json").write_text(json.dumps(settings))
        shutil.copy(Path(__file__).with_name("jobs_under_test.py"), folder / "jobs.py")
        Spool(Layout(str(self.spool))).make()
        self.running = []

    def drop(self, job_id, text=None, /, **document):
        """Publish as a stranger does: write in tmp/, rename into pending/."""
        staged = self.spool / "tmp" / f"staged-{job_id}"[:200]
        if text is None:
            text = json.dumps({"job": "jobs", **document})
        staged.write_bytes(text if isinstance(text, bytes) else text.encode())
        staged.rename(self.spool / "pending" / f"{job_id}.json")

    def cli(self, *words, code=0):
        """Run a command to its end; returns its output."""
        done = subprocess.run(
            [*COMMAND, *words], cwd=self.folder, capture_output=True, encoding="utf-8", timeout=60, check=False
        )
        assert done.returncode == code, f"{shlex.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *options, prefix=()):
        """Start a dispatcher; `prefix` is a command that starts it in surroundings of its own."""
        daemon = Daemon(self.folder, options, prefix)
        self.running.append(daemon)
        return daemon

    def where(self, job_id):
        """The state folders that hold this id."""
        return [
            s for s in ("pending", "running", "done", "failed") if os.path.lexists(self.spool / s / f"{job_id}.json")
        ]

    def document(self, state, job_id):
        return json.loads((self.spool / state / f"{job_id}.json").read_text("utf-8"))

    def reason(self, job_id):
        return json.loads((self.spool / "failed" / f"{job_id}.reason").read_text("utf-8"))

    def outcomes(self, state, job_id):
        return [attempt["outcome"] for attempt in self.document(state, job_id).get("attempts", [])]

    def notes(self):
        path = self.folder / "notes.txt"
        return path.read_text("utf-8").split("\n")[:-1] if path.exists() else []

    def close(self):
        for daemon in self.running:
            daemon.kill()


class Daemon:
    """A running `spoolrunner run`."""

    def __init__(self, folder, options=(), prefix=()):
        self.folder = folder
        self.process = subprocess.Popen(
            [*prefix, *COMMAND, "run", *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self.lines = []
        self._queue = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def expect(self, *words, seconds=DEADLINE):
        """The next printed event that holds all these words; those before it are skipped."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"no event with {words} came; there were:\n" + "\n".join(self.lines))
            self.lines.append(line)
            if all(word in f"{line} " for word in words):
                return line

    def ready(self):
        self.expect("dispatcher", "started")
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def freeze(self):
        """SIGSTOP, and wait until it holds: until then its other threads may go on for a while."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def stop(self):
        """End it as a service manager would, or as one does on Windows, which has no such signal; returns its exit code."""
        if sys.platform == "win32":
            (self.folder / "spool" / "control" / "stop").touch()
        else:
            self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        code = self.process.wait(timeout=DEADLINE)
        # On Windows a job that runs on keeps the pipe open, and a pipe that is being read cannot be closed.
        self._reader.join(timeout=1 if sys.platform == "win32" else DEADLINE)
        if not self._reader.is_alive():
            self.process.stdout.close()
        return code

    def kill(self):
        """SIGKILL the dispatcher alone; its jobs run on."""
        if self.process.poll() is None:
            self.process.kill()
        if not self.process.stdout.closed:
            self.wait()


def until(condition, seconds=DEADLINE):
    """Wait for something outside of our processes' words; fails at the deadline."""
    deadline = time.monotonic() + seconds
    waiter = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come"
        waiter.wait(0.01)


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

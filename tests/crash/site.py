"""An installation in which real processes are killed, or their calls failed, at the n-th call of one kind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

import orjson

from spoolrunner import enqueue
from spoolrunner.protocol import document
from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JOB = "tests.crash.real_jobs"
DEADLINE = 45.0
CALLS = ("rename", "renameat2", "unlink", "fsync", "flock", "write", "ftruncate")
"""The calls that change the disk."""
LETS_THE_SEARCH_BY = f"""case "$*" in *site.main*) exec '{sys.executable}' "$@";; esac\n"""
"""For a script that stands in for the Python of jobs: what looks for packages before the first of them is left alone."""


@dataclass
class Site:
    """An installation for real processes. To `starts` the job appends, to `exits` what watches over its process."""

    folder: str
    layout: Layout
    starts: str
    exits: str

    def configure(self, **settings: object) -> str:
        """Write config.json."""
        path = os.path.join(self.folder, "config.json")
        raw = {
            "allowed_jobs": {JOB: ["append"]}, "python_path": [ROOT], "retry_interval": 0, "max_retries": 1,
            "executor": "spawn", **settings
        }  # fmt: skip
        with open(path, "wb") as stream:
            stream.write(orjson.dumps(raw))
        return path

    def strace(self, log: str, inject: str | None, kinds: tuple[str, ...] = CALLS) -> list[str]:
        """A prefix that traces a program's main thread into `log` and, with `inject`, kills it at a call or fails that."""
        command = [shutil.which("strace") or "strace", "-qq", "-y", "-o", log, "-e", f"trace={','.join(kinds)}"]
        return command + (["-e", f"inject={inject}"] if inject else [])

    def command(self, *words: str, prefix: list[str] | None = None) -> tuple[int, str]:
        """Give a command; its exit status, and what it printed."""
        command = [*(prefix or []), sys.executable, "-m", "spoolrunner", "--config", f"{self.folder}/config.json"]
        done = subprocess.run(
            [*command, *words], cwd=ROOT, capture_output=True, timeout=DEADLINE, check=False, text=True
        )
        return done.returncode, done.stdout + done.stderr

    def drain(self, prefix: list[str] | None = None) -> int:
        """Run a dispatcher until nothing is due; its exit status."""
        return self.command("run", "--drain", prefix=prefix)[0]

    def wrap_python(self, log: str, inject: str | None, kinds: tuple[str, ...] = CALLS) -> None:
        """Make the processes of jobs be traced, and killed or failed."""
        path = os.path.join(self.folder, "python")
        words = " ".join(f"'{word}'" for word in [*self.strace(log, inject, kinds), sys.executable])
        with open(path, "w", encoding="ascii") as stream:
            stream.write(
                f'#!/bin/sh\n{LETS_THE_SEARCH_BY}{words} "$@"\nstatus=$?\necho $status >> {self.exits}\nexit $status\n'
            )
        os.chmod(path, 0o700)
        self.configure(python_binary=path)

    def wrap_first_python(self, words: list[str], **settings: object) -> None:
        """Make the first process that is started for jobs (with fork: the template) be started by these words."""
        path = os.path.join(self.folder, "python")
        quoted = " ".join(f"'{word}'" for word in words)
        with open(path, "w", encoding="ascii") as stream:
            stream.write(f"#!/bin/sh\n{LETS_THE_SEARCH_BY}mkdir '{path}.used' 2>/dev/null && exec {quoted} \"$@\"\n")
            stream.write(f"exec '{sys.executable}' \"$@\"\n")
        os.chmod(path, 0o700)
        self.configure(python_binary=path, **settings)

    def outcomes(self, state: State) -> list[str]:
        """What became of the attempts of the job, which lies in that state."""
        with open(self.layout.job(state, "a"), "rb") as stream:
            _, raw = document.parse(stream.read())
        return [made["outcome"] for made in raw["attempts"]]

    def judge(self, killed: int) -> None:
        """The promises, for one job that may be started `killed` times more than once."""
        places = [s for s in State if os.path.exists(self.layout.job(s, "a"))]
        assert places == [State.DONE], places
        with open(self.layout.job(State.DONE, "a"), "rb") as stream:
            _, raw = document.parse(stream.read())
        numbers = [made["number"] for made in raw["attempts"]]
        with open(self.starts, encoding="ascii") as stream:
            starts = [int(line.split()[1]) for line in stream]
        assert len(starts) == len(set(starts))
        assert set(starts) <= set(numbers)
        assert 1 <= len(starts) <= 1 + killed
        assert not os.listdir(self.layout.locks)
        assert not os.listdir(self.layout.control)


def renew(site: Site) -> Site:
    """Begin again with an empty spool and one job in it."""
    for path in (site.layout.root, site.starts, site.exits, f"{site.folder}/python.used"):
        shutil.rmtree(path) if os.path.isdir(path) else os.path.exists(path) and os.unlink(path)
    path = site.configure()
    Spool(site.layout).make()
    enqueue(JOB, "append", [site.starts], id="a", config=path)
    return site


def calls(log: str, kinds: tuple[str, ...] = CALLS) -> Counter[str]:
    """How often each call was made, by a trace."""
    with open(log, encoding="utf-8", errors="replace") as stream:
        names = [line.split("(", 1)[0] for line in stream]
    return Counter(name for name in names if name in kinds)

"""How an interpreter is started for one job: without the search for packages that Python makes at each start.

That search (the module `site`) is made once, in a process of its own, and each job is given what it came to: the import path,
the environment's prefix, and the lines of code that `.pth` files have it run. Where it does more than that, as with a
sitecustomize, every job makes it for itself.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from spoolrunner.errors import StartError
from spoolrunner.executors.places import cannot_start

_SEARCH = """
import json, site, sys
lines = []
def run(line):
    lines.append(line.strip())
    exec(line)
site.exec = run  # instead of the built-in one, for the lines of code in .pth files
before = set(sys.modules)
site.main()
loaded = [name for name in sys.modules if name not in before and not name.startswith("encodings.")]
folders = [*site.getsitepackages(), site.getusersitepackages()]
customized = not {"sitecustomize", "usercustomize"}.isdisjoint(loaded) or bool(loaded and not lines)
print(json.dumps([sys.path, sys.prefix, sys.exec_prefix, lines, folders, customized]))
"""
_GIVEN = """
import sys
sys.path[:], sys.prefix, sys.exec_prefix = {path!r}, {prefix!r}, {exec_prefix!r}
import site
site.setquit(), site.setcopyright(), site.sethelper()
"""
_SEARCH_SECONDS = 60.0


class _Found(NamedTuple):
    """What a search came to."""

    path: list[str]
    prefix: str
    exec_prefix: str
    lines: list[str]
    folders: list[str]
    customized: bool


class Interpreter:
    """The interpreter of jobs: a program, the folder it runs in, and its whole environment."""

    def __init__(self, python: str, folder: str, environment: Mapping[str, str]) -> None:
        self.python = python
        self._folder = folder
        self._environment = environment
        self._flags: tuple[str, ...] = ()
        self._first = ""
        self._looked_at: list[tuple[str, int]] | None = None
        self._searching: threading.Thread | None = None
        self._error: StartError | None = None

    def search(self) -> bool:
        """Begin to make the search, by a thread, and return whether it is made; StartError when the last one failed.

        To be asked until it is: nothing waits for an interpreter that hangs.
        """
        thread = self._searching
        if thread is not None and thread.is_alive():
            return False
        self._searching = None
        error, self._error = self._error, None
        if error is not None:
            raise error
        if self.is_outdated:
            self._searching = threading.Thread(target=self._try_search, name="search", daemon=True)
            try:
                self._searching.start()
            except RuntimeError as refused:
                self._searching = None
                raise StartError(f"cannot look at {self.python}: {refused}; see to the limits of threads") from None
            return False
        return True

    @property
    def is_searching(self) -> bool:
        """Whether a search is under way, or what it came to was not asked for."""
        return self._searching is not None

    def _try_search(self) -> None:
        try:
            self._search()
        except StartError as error:
            self._error = error

    def command(self, program: str, arguments: Sequence[str]) -> list[str]:
        """How it is started with a program text, after a search where none was made; StartError when it cannot be started."""
        if self.is_outdated:
            self._search()
        return [self.python, "-P", *self._flags, "-c", self._first + program, *arguments]

    @property
    def is_outdated(self) -> bool:
        """Whether packages were installed or removed since the last command was made."""
        return self._looked_at is None or any(_modified(folder) != time for folder, time in self._looked_at)

    def forget(self) -> None:
        """Make the next command by a search of its own: what lies at the paths is another by now."""
        self._looked_at = None

    def _search(self) -> None:
        try:
            done = subprocess.run(
                [self.python, "-P", "-S", "-c", _SEARCH],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                cwd=self._folder,
                env=self._environment,
                timeout=_SEARCH_SECONDS,
                check=False,
            )
            found = _Found(*orjson.loads(done.stdout.splitlines()[-1]))
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:  # Windows reads by a thread
            raise cannot_start(self.python, self._folder, error) from None
        except (IndexError, ValueError, TypeError):
            raise StartError(f"{self.python} is no Python that runs: it ended with status {done.returncode}") from None
        self._looked_at = [(folder, _modified(folder)) for folder in found.folders]
        if found.customized:
            self._flags, self._first = (), ""
            return
        given = _GIVEN.format(path=found.path, prefix=found.prefix, exec_prefix=found.exec_prefix)
        self._flags, self._first = ("-S",), "\n".join([given, *found.lines, ""])


def _modified(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0  # there is none, as often

"""Which rooms know on what system they are, and that none of the rest needs to: read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.house.test_doors import MODULES, PACKAGE, name_of, parse, uses

OWNERS = {
    "cli/as_typed.py": "what sh and PowerShell are told",
    "system/durable.py": "renames that refuse a taken name, and syncs",
    "system/renames.py": "renameat2 and renamex_np",
    "executors/plan.py": "where there is a fork",
    "executors/spawn.py": "how the end of a process is heard",
    "executors/spawned.py": "how a process is started",
    "system/winapi.py": "Windows alone",
    "spool/paths.py": "long paths",
    "attempt/rlimits.py": "what a process can be held to",
    "spool/locks.py": "flock and LockFileEx",
    "config/exposure.py": "owners and modes",
    "system/processes.py": "identity, trees and usage of processes",
    "system/heldfiles.py": "files that cannot be moved while they are open",
    "executors/forkserver.py": "POSIX alone",
    **{
        f"executors/{name}.py": "POSIX alone"
        for name in (
            "children",
            "connection",
            "effects",
            "exit_handlers",
            "guardian",
            "preloading",
            "spares",
            "tending",
        )
    },
    "system/orphans.py": "who gets the processes whose parent has ended",
    "system/dispositions.py": "signals that are inherited",
    "dispatch/watch.py": "where events come from",
    "dispatch/folder_watch.py": "as above",
    "dispatch/inbox.py": "what a thread can wait for",
    "executors/local.py": "how the end of a process is heard",
    "attempt/runner.py": "whether a process knows that its parent is gone",
    "system/rights.py": "what a process may give up",
    "system/clock.py": "the clock that counts from the boot",
    "system/machine.py": "the name of the machine",
    "system/inotify.py": "events of files",
    "system/mounting.py": "how the kernel names what it has mounted",
    "system/owners.py": "whose a file is",
    "system/programs.py": "how a program is found and started",
    "config/commands.py": "where there is bubblewrap",
    "dispatch/beside.py": "how a program is kept apart from our terminal",
    "web/listening.py": "sockets in the file system",
    "web/serving.py": "who is at the other end of one",
}
"""module -> the difference between systems that it owns."""
SYSTEM = {"sys.platform", "os.name", "platform.system"}
POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
POSIX_ALONE = {
    f"executors/{name}.py"
    for name in (
        "children",
        "connection",
        "effects",
        "exit_handlers",
        "fork",
        "forkserver",
        "guardian",
        "preloading",
        "spares",
        "successor",
        "tending",
    )
}
"""Modules that Windows never imports."""
IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sys.modules)
"""


def imports_met(body: list[ast.stmt], on_windows: bool) -> Iterator[str]:
    """The modules that these statements import where Windows comes by; in every function too."""
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in statement.names if on_windows)
        elif isinstance(statement, ast.ImportFrom) and on_windows and statement.module:
            yield statement.module.partition(".")[0]
        elif isinstance(statement, ast.If):
            here, elsewhere = of_windows(statement.test)
            yield from imports_met(statement.body, on_windows and here)
            yield from imports_met(statement.orelse, on_windows and elsewhere)
            ends = isinstance(statement.body[-1], (ast.Return, ast.Raise))
            on_windows = on_windows and (elsewhere or not ends)
        else:
            for part in ("body", "orelse", "finalbody"):
                yield from imports_met(getattr(statement, part, []), on_windows)


def of_windows(test: ast.expr) -> tuple[bool, bool]:
    """Whether Windows goes into the body, and whether into the rest, of an `if` with this test."""
    match test:
        case ast.Compare(ops=[operator], comparators=[ast.Constant(value=str(system))]) if (
            "sys.platform" in ast.unparse(test)
        ):
            is_so = (system == "win32") is isinstance(operator, ast.Eq)
            return is_so, not is_so
    return True, True


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_owner_of_a_difference_asks_for_the_system(path) -> None:
    """No module asks on what system it is but those that own a difference between systems."""
    assert bool(uses(parse(path), SYSTEM)) is (name_of(path) in OWNERS)


@pytest.mark.parametrize("path", [path for path in MODULES if name_of(path) not in POSIX_ALONE], ids=name_of)
def test_no_posix_module_is_imported_on_windows(path) -> None:
    """A module that exists on POSIX only is imported where Windows does not come by."""
    assert set(imports_met(parse(path).body, on_windows=True)) & POSIX_MODULES == set()


def test_the_reader_sees_such_imports() -> None:
    """The reader knows which branch Windows takes."""
    source = """
import fcntl
if sys.platform == "win32":
    import grp
else:
    import pwd
def f():
    if sys.platform != "win32":
        import pty
    if sys.platform == "win32":
        return
    import tty
"""
    assert set(imports_met(ast.parse(source).body, on_windows=True)) == {"fcntl", "grp"}


@pytest.mark.skipif(sys.platform != "win32", reason="needs a Windows CPython")
def test_windows_loads_no_posix_module() -> None:
    """On Windows every module but those of POSIX alone can be imported, and none of POSIX is loaded by that."""
    names = [
        ".".join(["spoolrunner", *path.relative_to(PACKAGE).with_suffix("").parts])
        for path in MODULES
        if name_of(path) not in POSIX_ALONE and path.name != "__main__.py"
    ]
    loaded = subprocess.run([sys.executable, "-c", IMPORT_ALL, *names], capture_output=True, text=True, check=True)
    assert set(loaded.stdout.split()) & POSIX_MODULES == set()

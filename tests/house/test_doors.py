"""The order of the house, read from its source: who may call what, who may import what, how large a module is."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "spoolrunner"
MODULES = sorted(PACKAGE.rglob("*.py"))
# jobs_under_test.py holds jobs, which tests start in processes of their own: taking a while is what some of them are for.
TESTS = sorted(path for path in (ROOT / "tests").rglob("*.py") if path.name != "jobs_under_test.py")
MAX_LINES, MAX_CLASS, MAX_FUNCTION, MEDIAN_FUNCTION = 330, 220, 45, 8

DURABLE_CALLS = {
    f"{module}.{name}"
    for module, names in {
        "os": ("rename", "renames", "replace", "link", "fsync", "fdatasync", "sync", "symlink"),
        "shutil": ("move", "copy", "copy2", "copyfile", "copytree"),
    }.items()
    for name in names
}

TIME_MODULES = {"time", "datetime"}
READERS_OF_TIME = {
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.perf_counter_ns",
    "time.sleep",
    "time.gmtime",
    "time.localtime",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
}
# module -> what it may read beside clock.py, and why
TIME_EXCEPTIONS = {
    "spool/locks.py": {
        "time.monotonic",  # flock and LockFileEx cannot wait for a limited time, so a lock is polled
        "time.sleep",  # as above; loaded by every job's process, which is given no clock
    },
    "demo_jobs.py": {
        "time.sleep",  # a job, not a part of the house: taking a while is what it shows
    },
}
# module -> what it may sleep by, and why: the benchmarks are programs that measure time, not tests
SLEEP_EXCEPTIONS = {
    "tests/benchmarks/measure.py": {"time.sleep"},  # looks at counts that give no event, seldom enough to cost nothing
    "tests/benchmarks/load/client.py": {"time.sleep"},  # lets the subject become idle before each job that is timed
    "tests/benchmarks/load/herd.py": {"time.sleep"},  # as above
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "tools"}
NOT_IN_IMPORT_OF_PACKAGE = {"watchdog", "filelock", "msgspec", "rich", "psutil", "asyncio"}
NOT_IN_IMPORT_OF_RUNNER = {
    "watchdog",
    "msgspec",
    "rich",
    "asyncio",
    # their after-fork handlers double the price of a forked process
    "logging",
    "threading",
    "subprocess",
    "multiprocessing",
    "concurrent.futures",
    "filelock",
    "psutil",
    # each of these costs more than all that a job's process does of its own
    "orjson",
    "typing",
    "enum",
    "collections",
    "re",
    "json",
    "dataclasses",
    "inspect",
    "functools",
    "datetime",
}

LIGHT_SIDE = {
    "attempt",
    "attempt.assignment",
    "attempt.binding",
    "attempt.callables",
    "attempt.compiled",
    "attempt.current_job",
    "attempt.exit",
    "attempt.forks",
    "attempt.outcome",
    "attempt.own_lines",
    "attempt.returned",
    "attempt.runner",
    "attempt.settings",
    "errors",
    "spool",
    "spool.lock_lines",
    "spool.locks",
    "spool.output",
    "spool.paths",
    "system",
    "system.clock",
    "system.heldfiles",
    "system.processes",
    "system.rights",
}
"""What a job's process imports of the house; the rooms themselves are named too."""


VERBS = [
    "cancel",
    "check",
    "demo",
    "discard",
    "edit",
    "enqueue",
    "init",
    "list",
    "logs",
    "pause",
    "resume",
    "retry",
    "schedules",
    "schema",
    "show",
    "status",
    "stop",
    "wait",
    "web",
    "why",
]
UNTESTED = {
    "attempt/no_job.py": "a job that does nothing, for rehearsals: test_rehearsal imports it",
    **{f"cli/{verb}.py": "arguments and words: tests/daemon runs it as a command" for verb in VERBS},
    "executors/base.py": "names what an executor is, and does nothing",
    "executors/connection.py": "the near end of a template: test_fork and test_preloading have real ones",
    "executors/effects.py": "what an import did to a template: test_preloading has a case for each",
    "executors/exit_handlers.py": "as above",
    "executors/guardian.py": "as above",
    "executors/successor.py": "which template preloads: as above",
    "spool/sweeping.py": "leftovers in tmp/: test_folders sweeps them",
    "spool/settled.py": "what settling answers: test_settling and test_settling_batch settle, and look at all of it",
    "dispatch/rooms.py": "joins the rooms, and nothing else: each test of a room in dispatch/ is furnished by it",
    "dispatch/surroundings.py": "names what is outside of a dispatcher, and does nothing",
    "dispatch/wishes.py": "names the messages, and does nothing",
    **{
        f"web/{name}.py": "tests/web/test_actions posts each form, and looks at the files"
        for name in ("acting", "acts_on_control", "acts_on_many", "acts_on_one", "editing")
    },
    **{
        f"web/{name}.py": "tests/web asks for each page over HTTP, and looks at what is shown"
        for name in ("answers", "app", "frame", "parts", "rows", "screens")
    },
    "web/enqueueing.py": "tests/web/test_enqueue_form fills it in",
    "web/typed.py": "as above",
}
"""module -> why tests/unit has no file of its name."""


def name_of(path: Path) -> str:
    """A short name for the ids of tests and for the tables above."""
    return path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    """The module as a tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(local name, full dotted name) of everything the module imports, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.partition(".")[0]
                yield local, alias.name if alias.asname else local
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def imported_modules(tree: ast.Module) -> set[str]:
    """The top names of the packages it imports."""
    whole = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return {name.partition(".")[0] for name in whole | {full for _, full in imports(tree)}}


def dotted(node: ast.AST) -> str | None:
    """`a.b.c` of an attribute or a name, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


def uses(tree: ast.Module, wanted: set[str]) -> set[str]:
    """Those of the `wanted` full names that the module mentions, called or passed on, under whatever local name."""
    local = dict(imports(tree))
    found = {full for full in local.values() if full in wanted}
    for node in ast.walk(tree):
        text = dotted(node)
        if text is not None:
            first, dot, rest = text.partition(".")
            full = local.get(first, first) + dot + rest
            found |= {full} & wanted
    return found


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `statement`."""
    program = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(ended.stdout.split())


def public_things(tree: ast.Module) -> Iterator[ast.AST]:
    """The module, its public classes and functions, and their public methods; overridden operators are not among them."""
    yield tree
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                inside = (n for n in node.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)))
                yield from (n for n in inside if not n.name.startswith("_"))


def test_the_detector_sees_through_names():
    """A rename is found called, passed on, imported by name and under another name; a method of that name is not."""
    wanted = {"os.rename"}

    assert uses(ast.parse("import os\nos.rename(a, b)"), wanted) == wanted
    assert uses(ast.parse("import os\ntry_twice(os.rename, a, b)"), wanted) == wanted
    assert uses(ast.parse("from os import rename"), wanted) == wanted
    assert uses(ast.parse("def f():\n import os as o\n o.rename(a, b)"), wanted) == wanted
    assert uses(ast.parse("import os\ndurable.rename(a, b)\nos.name"), wanted) == set()


def test_the_detector_sees_a_class_of_datetime():
    """Reading the time is found by way of the module datetime as well as of the class."""
    wanted = {"datetime.datetime.now"}

    assert uses(ast.parse("from datetime import datetime\ndatetime.now(UTC)"), wanted) == wanted
    assert uses(ast.parse("import datetime\ndatetime.datetime.now()"), wanted) == wanted


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "durable.py"], ids=name_of)
def test_only_durable_renames_and_syncs(path):
    """No module but durable.py calls rename, replace, link or fsync, nor anything that does it under another name."""
    assert uses(parse(path), DURABLE_CALLS) == set()


RENAMERS = {
    "spool/folders.py": {
        "rename",
        "publish",
        "publish_many",
        "replace_content",
    },  # each row of the table of transitions
    "spool/record.py": {"replace_many"},  # as above: the row of an outcome
    "spool/one_mount.py": {"rename"},  # a trial: what it moves is no job
    "spool/editing.py": {"exchange"},  # the row of an edit
    "spool/reason_files.py": {"replace_content"},  # ID.reason
    "spool/step_files.py": {"publish", "replace_content", "rename"},  # steps/ID.jsonl, which are no jobs
    "spool/twofold.py": {"rename"},  # out of a state folder, to be removed: no move of a job
    "spool/requests.py": {"replace_content"},  # control/stop, whose text counts
    "spool/schedule_notes.py": {"replace_content"},  # schedules/NAME.json
    "telling/status.py": {"replace_content"},  # status.json
}
"""module -> what of `durable` it calls that puts a file under its name; moves of job files ask the table first."""


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "durable.py"], ids=name_of)
def test_only_a_few_put_files_under_their_names(path):
    """No module but those listed renames, publishes or replaces a file by way of durable.py, and they are no more than that."""
    home = "spoolrunner.system.durable"
    names = ("rename", "publish", "publish_many", "replace_content", "replace_many", "exchange")
    found = {full.rpartition(".")[2] for full in uses(parse(path), {f"{home}.{name}" for name in names})}

    assert found == RENAMERS.get(name_of(path), set())


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "durable.py"], ids=name_of)
def test_no_module_has_methods_of_paths_rename(path):
    """No module renames by way of pathlib, which would be a second door."""
    assert "pathlib" not in imported_modules(parse(path))


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "clock.py"], ids=name_of)
def test_only_clock_reads_the_time(path):
    """No module but clock.py reads a clock or sleeps, beyond the exceptions that are listed with their reasons."""
    assert uses(parse(path), READERS_OF_TIME) == TIME_EXCEPTIONS.get(name_of(path), set())


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "watch.py"], ids=name_of)
def test_only_watch_imports_watchdog(path):
    """No module but watch.py imports watchdog."""
    assert "watchdog" not in imported_modules(parse(path))


def lines_of(node: ast.AST) -> int:
    """How many lines a class or function takes."""
    return node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_sizes(path):
    """No module is longer than 330 lines, no class than 220, no function than 45."""
    nodes = list(ast.walk(parse(path)))

    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    assert [n.name for n in nodes if isinstance(n, ast.ClassDef) and lines_of(n) > MAX_CLASS] == []
    assert [n.name for n in nodes if isinstance(n, FUNCTIONS) and lines_of(n) > MAX_FUNCTION] == []


def test_most_functions_are_short():
    """The median function has fewer than 8 lines."""
    found = [lines_of(n) for path in MODULES for n in ast.walk(parse(path)) if isinstance(n, FUNCTIONS)]

    assert statistics.median(found) < MEDIAN_FUNCTION


def module_of(path: Path) -> str:
    """The dotted name of a module of the package."""
    return ".".join(["spoolrunner", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")


def test_no_module_imports_itself_in_a_circle():
    """No two modules need each other, at whatever distance; what is imported for types alone does not count."""
    names = {module_of(path) for path in MODULES}
    edges = {module_of(path): needed_by(parse(path)) & names - {module_of(path)} for path in MODULES}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way, name])
        if name not in done:
            for needed in sorted(edges[name]):
                visit(needed, (*way, name))
            done.add(name)

    for name in sorted(names):
        visit(name, ())


def needed_by(tree: ast.Module) -> set[str]:
    """The modules that this one imports when it is imported or when it works, but for those it names in types only."""
    typing_only = {n for top in tree.body if is_for_types(top) for n in ast.walk(top)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node not in typing_only:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found - {"spoolrunner"}


def is_for_types(node: ast.stmt) -> bool:
    """Whether it is an `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_docstrings(path):
    """Every module, public class, public function and public method has a docstring."""
    bare = [getattr(node, "name", "the module") for node in public_things(parse(path)) if not ast.get_docstring(node)]

    assert bare == []


def test_no_vague_module_names():
    """No module is a bag of things: none is called utils, common or helpers."""
    names = {part for path in MODULES for part in path.relative_to(PACKAGE).with_suffix("").parts}

    assert names & VAGUE_NAMES == set()


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_no_test_sleeps(path):
    """No test sleeps: it waits for an event, with a deadline. Programs that measure time are listed, with their reasons."""
    assert uses(parse(path), {"time.sleep", "asyncio.sleep"}) == SLEEP_EXCEPTIONS.get(name_of(path), set())


def test_import_of_the_package_is_cheap():
    """`import spoolrunner` loads neither watchdog nor anything else that only the dispatcher needs."""
    assert loaded_by("import spoolrunner") & NOT_IN_IMPORT_OF_PACKAGE == set()


def test_import_of_the_package_loads_no_room():
    """`import spoolrunner` loads no module of the house until one is used."""
    loaded = {name for name in loaded_by("import spoolrunner") if name.startswith("spoolrunner.")}

    assert loaded == set()


def test_import_of_the_runner_is_cheap():
    """`import spoolrunner.attempt.runner`, which every job pays, loads nothing heavy and nothing that makes a fork dear."""
    assert loaded_by("import spoolrunner.attempt.runner") & NOT_IN_IMPORT_OF_RUNNER == set()


def test_a_job_pays_for_the_light_side_alone():
    """What a job's process imports of the house is this and no more: each module here is a price of every job."""
    loaded = {
        name.removeprefix("spoolrunner.")
        for name in loaded_by("import spoolrunner.attempt.runner")
        if "spoolrunner." in name
    }

    assert loaded == LIGHT_SIDE


def has_a_test(path: Path) -> bool:
    """Whether the module has a file of tests of its name in its room of tests/unit or, of the page, in tests/web."""
    room, name = path.parent.name, path.name
    of_page = room == "web" and (ROOT / "tests" / "web" / f"test_{name}").exists()
    return of_page or (ROOT / "tests" / "unit" / room / f"test_{name}").exists()


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent != PACKAGE and p.name != "__init__.py"], ids=name_of)
def test_every_module_has_its_unit_tests(path):
    """Each module of a room has a file of unit tests of its name, beyond the exceptions that are listed with their reasons."""
    assert has_a_test(path) or name_of(path) in UNTESTED


def test_no_exception_without_need():
    """An exception is of a module that there is and that has no test file."""
    excepted = {PACKAGE / name for name in UNTESTED}

    assert {name_of(path) for path in excepted if not path.exists() or has_a_test(path)} == set()


def top_modules() -> set[str]:
    """The modules and sub-packages directly in the package."""
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    return {f"spoolrunner.{name}" for name in folders | {p.stem for p in PACKAGE.glob("*.py")} - {"__init__"}}


def layered() -> list[str]:
    """The modules that the import-linter contract names."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    return [name.strip() for floor in contract["layers"] for name in floor.split("|")]


def test_layers_name_no_stranger():
    """The import-linter layers name each module once, and only modules that there are."""
    assert len(layered()) == len(set(layered()))
    assert set(layered()) <= top_modules()


def test_layers_name_every_module():
    """The import-linter layers name every module of the package, so that none escapes the rule."""
    assert top_modules() - set(layered()) == set()


def test_internals_name_every_module():
    """docs/internals.md has a line for every room, and names every module of the room in it."""
    page = (ROOT / "docs" / "internals.md").read_text(encoding="utf-8").partition("## The rooms")[2]
    lines = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    rooms = [path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]

    assert set(lines) == {path.stem for path in rooms} - {"__init__"}
    for room in rooms:
        missing = [path.stem for path in room.glob("*.py") if f"`{path.stem}`" not in lines[room.name]]
        assert set(missing) <= {"__init__"}, room.name

"""Modules that were compiled ahead: how they are run, and what makes an `import` the right thing instead."""

from __future__ import annotations

import importlib
import os
import sys

import pytest

from spoolrunner.attempt import compiled
from spoolrunner.attempt.callables import resolve
from spoolrunner.executors import compile as compiling
from spoolrunner.executors.compile import compile_ahead
from tests.conftest import FakeClock

LONG_AGO = 1_600_000_000


@pytest.fixture(autouse=True)
def no_ways(monkeypatch):
    """Nothing is compiled ahead but by the test, and what it imports is forgotten after it."""
    monkeypatch.setattr(compiled, "ways", {})
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def later(monkeypatch) -> None:
    """It is a minute later, so that all files are old enough."""

    class Later(FakeClock):
        def wall(self) -> float:
            return compiling_wall() + 60

    compiling_wall = compiling.clock.SYSTEM.wall
    monkeypatch.setattr(compiling.clock, "SYSTEM", Later())


@pytest.fixture
def home(tmp_path, monkeypatch, later):
    """The folder of the modules, which is the first of the import path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def write(path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    importlib.invalidate_caches()


def test_it_is_as_an_import_makes_it(home) -> None:
    """All that a module can read of itself is what an import gives it."""
    write(home / "pkg/__init__.py", "")
    write(home / "pkg/a2.py", "from . import __name__ as package\ndef f(): return package\n")
    compile_ahead(["pkg.a2"])
    assert compiled.run("pkg.a2") == 2
    ours = {name: vars(sys.modules[name]) for name in ("pkg", "pkg.a2")}
    for name in ours:
        del sys.modules[name]
    importlib.import_module("pkg.a2")
    for name, made in ours.items():
        theirs = vars(sys.modules[name])
        assert made.keys() == theirs.keys()
        for key in ("__name__", "__file__", "__cached__", "__package__", "__doc__"):
            assert made[key] == theirs[key]
        assert made.get("__path__") == theirs.get("__path__")
        assert made["__spec__"].name == theirs["__spec__"].name
        assert type(made["__loader__"]) is type(theirs["__loader__"])
    assert ours["pkg"]["a2"].f() == "pkg"


@pytest.mark.parametrize("name", ["pkg3.sub.a3.Report", "pkg3.sub.a3.Report.Inner"])
def test_a_class_in_a_module_in_packages(home, name) -> None:
    """Of a class the modules are run, and how many names they are is returned: no search for a module named like it."""
    write(home / "pkg3/__init__.py", "")
    write(home / "pkg3/sub/__init__.py", "")
    write(
        home / "pkg3/sub/a3.py",
        "class Report:\n    def build(self): return 1\n    class Inner:\n        def build(self): return 1\n",
    )
    compile_ahead([name])
    assert compiled.run(name) == 3
    assert resolve(name, "build").call([]) == 1


def test_a_class_in_a_package(home) -> None:
    """The names in a package may be modules of it: as long as its folder is what it was, it is known that they are not."""
    write(home / "pkg4/__init__.py", "class Report:\n    def build(self): return 'class'\n")
    compile_ahead(["pkg4.Report"])
    assert compiled.run("pkg4.Report") == 1
    del sys.modules["pkg4"]
    write(home / "pkg4/Report.py", "def build(): return 'module'\n")
    assert compiled.run("pkg4.Report") == 0
    assert resolve("pkg4.Report", "build").call([]) == "module"


@pytest.mark.parametrize(
    "change",
    [
        lambda home: write(home / "a5.py", "VALUE = 2\n"),
        lambda home: os.utime(home / "a5.py", (LONG_AGO, LONG_AGO)),
        lambda home: os.unlink(home / "a5.py"),
        lambda home: os.replace(home / "other.py", home / "a5.py"),
        lambda home: write(home / "a5/__init__.py", "VALUE = 2\n"),
    ],
)
def test_a_change_makes_it_void(home, change) -> None:
    """A file that is another, even of equal size and time, and a package that has come to shadow it: import finds out."""
    write(home / "a5.py", "VALUE = 1\n")
    write(home / "other.py", "VALUE = 3\n")
    status = os.stat(home / "a5.py")
    os.utime(home / "other.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    compile_ahead(["a5"])
    change(home)
    assert compiled.run("a5") == 0
    assert "a5" not in sys.modules


def test_a_module_that_comes_to_lie_before_it(home, tmp_path_factory, monkeypatch) -> None:
    """A folder that is earlier in the import path is looked at too, also when it is not there yet."""
    write(home / "a6.py", "VALUE = 1\n")
    first = tmp_path_factory.mktemp("first") / "src"
    monkeypatch.syspath_prepend(str(first))
    compile_ahead(["a6"])
    assert compiled.run("a6") == 1
    del sys.modules["a6"]
    write(first / "a6.py", "VALUE = 2\n")
    assert compiled.run("a6") == 0


def test_a_module_that_raises_leaves_nothing(home) -> None:
    """Its error comes through, and the next import begins anew."""
    write(home / "a7.py", "raise ValueError('no')\n")
    compile_ahead(["a7"])
    with pytest.raises(ValueError, match="no"):
        compiled.run("a7")
    assert "a7" not in sys.modules


def test_a_module_that_puts_another_in_its_place(home) -> None:
    """What a module puts into sys.modules under its name is what its parent gets, as by import."""
    write(home / "pkg8/__init__.py", "")
    write(home / "pkg8/a8.py", "import sys, types\nsys.modules[__name__] = types.SimpleNamespace(mine=True)\n")
    compile_ahead(["pkg8.a8"])
    assert compiled.run("pkg8.a8") == 2
    assert sys.modules["pkg8"].a8.mine


def test_a_package_that_imports_the_module_itself(home) -> None:
    """A module that its own package has imported is not run again."""
    write(home / "pkg9/__init__.py", "from . import a9\n")
    write(home / "pkg9/a9.py", "import sys\nassert not hasattr(sys, 'a9')\nsys.a9 = 1\n")
    compile_ahead(["pkg9.a9"])
    try:
        assert compiled.run("pkg9.a9") == 2
    finally:
        del sys.a9
    assert sys.modules["pkg9"].a9 is sys.modules["pkg9.a9"]


def test_a_package_that_changes_its_path(home) -> None:
    """Where a package says at run time where its modules are, import asks it."""
    write(home / "pkg10/__init__.py", "__path__.insert(0, __path__[0] + '/inner')\n")
    write(home / "pkg10/a10.py", "VALUE = 'outer'\n")
    write(home / "pkg10/inner/a10.py", "VALUE = 'inner'\n")
    compile_ahead(["pkg10.a10"])
    assert compiled.run("pkg10.a10") == 0
    importlib.import_module("pkg10.a10")
    assert sys.modules["pkg10.a10"].VALUE == "inner"

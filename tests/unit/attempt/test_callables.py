"""From an entry of the table to a callable, and what is refused on the way."""

from __future__ import annotations

import functools
import sys
import types

import pytest

from spoolrunner.attempt.callables import resolve
from spoolrunner.errors import NotAllowedError

HERE = __name__


def add(a: int, b: int = 1) -> int:
    return a + b


def numbers():
    yield 1


async def ticks():
    yield 1


numbers_from = functools.partial(numbers)
numbers_from_there = functools.partial(functools.partial(numbers))
add_to_one = functools.partial(add, 1)


async def later() -> int:
    return 5


NOT_CALLABLE = 5


class Base:
    def inherited(self) -> str:
        return "base"


class TwoMore:
    """A callable that is no function: a class does not bind it to its instances."""

    def __call__(self, number: int) -> int:
        return 2 + number


class Report(Base):
    attribute = 5
    made = 0

    class Part:
        def assemble(self) -> str:
            return "part"

    def __init__(self) -> None:
        type(self).made += 1

    def build(self, name: str, *, size: int = 1) -> str:
        return name * size

    @staticmethod
    def static(x: int) -> int:
        return x

    @classmethod
    def of_class(cls, x: int) -> str:
        return f"{cls.__name__}{x}"

    @property
    def shown(self) -> str:
        return "x"

    def stream(self):
        yield 1

    @staticmethod
    def static_stream():
        yield 1

    @classmethod
    def class_stream(cls):
        yield 1

    def _private(self) -> None: ...

    two_more = TwoMore()


class Needy:
    def __init__(self, what) -> None: ...

    def work(self) -> None: ...

    @staticmethod
    def free() -> int:
        return 1


class Mapping(dict):
    def own(self) -> int:
        return len(self)


@pytest.mark.parametrize(
    ("job", "method", "params", "result"),
    [
        (HERE, "add", [1, 2], 3),
        (HERE, "add", {"a": 1}, 2),
        (f"{HERE}.Report", "build", ["ab"], "ab"),
        (f"{HERE}.Report", "build", {"name": "ab", "size": 2}, "abab"),
        (f"{HERE}.Report", "inherited", [], "base"),
        (f"{HERE}.Report", "static", [5], 5),
        (f"{HERE}.Report", "of_class", [5], "Report5"),
        (f"{HERE}.Report.Part", "assemble", [], "part"),
        (f"{HERE}.Needy", "free", [], 1),
        (f"{HERE}.Mapping", "own", [], 0),
        ("math", "sqrt", [9], 3.0),
        (HERE, "add_to_one", [2], 3),
    ],
)
def test_resolve_and_call(job, method, params, result) -> None:
    """A function of a module and a method of a class are found, fit their params and can be called."""
    callee = resolve(job, method)
    assert callee.problem(params) is None
    assert callee.call(params) == result


def test_a_class_of_a_module_may_be_a_job() -> None:
    """A class under a module's name is called like a function: what it makes is the result."""
    assert isinstance(resolve(HERE, "TwoMore").call([]), TwoMore)


def test_a_class_that_needs_arguments() -> None:
    """A method of a class that cannot be made without arguments is found, and it is said what keeps it from being called."""
    callee = resolve(f"{HERE}.Needy", "work")
    assert callee.owner_problem().startswith(
        "Needy: the class must be made without arguments: params do not fit Needy("
    )
    assert resolve(f"{HERE}.Needy", "free").owner_problem() is None
    assert resolve(f"{HERE}.Report", "build").owner_problem() is None


def test_resolve_makes_nothing() -> None:
    """Looking a method up does not make its class; a call makes one fresh instance."""
    Report.made = 0
    callee = resolve(f"{HERE}.Report", "build")
    callee.problem(["x"])
    assert Report.made == 0
    callee.call(["x"])
    callee.call(["x"])
    assert Report.made == 2


def test_coroutine_functions_may_be_called() -> None:
    """A coroutine function is a legal job; running it is for the runner."""
    coroutine = resolve(HERE, "later").call([])
    assert hasattr(coroutine, "__await__")
    coroutine.close()


@pytest.mark.parametrize(
    ("job", "method", "message"),
    [
        (HERE, "_hidden", "begins with _ is private"),
        (f"{HERE}.Report", "_private", "begins with _ is private"),
        (f"{HERE}.Report", "__init__", "begins with _ is private"),
        (HERE, "ad", r"has no such function \(did you mean 'add'\?\)"),
        (HERE, "NOT_CALLABLE", "is int, which cannot be called"),
        (HERE, "numbers", "is a generator"),
        (HERE, "ticks", "is a generator"),
        (HERE, "numbers_from", "is a generator"),
        (HERE, "numbers_from_there", "is a generator"),
        (f"{HERE}.Report", "biuld", r"has no such method \(did you mean 'build'\?\)"),
        (f"{HERE}.Report", "attribute", "is int, which cannot be called"),
        (f"{HERE}.Report", "shown", "is property, which cannot be called"),
        (f"{HERE}.Report", "stream", "is a generator"),
        (f"{HERE}.Report", "static_stream", "is a generator"),
        (f"{HERE}.Report", "class_stream", "is a generator"),
        (f"{HERE}.Report", "mro", "has no such method"),
        (f"{HERE}.Mapping", "update", "inherited from dict, not a method of the job"),
        (f"{HERE}.Raport", "build", r"has no 'Raport' \(did you mean 'Report'\?\)"),
        (f"{HERE}.add", "build", "'add' is not a class"),
        (f"{HERE}.sys.modules", "get", "'sys' is not a class"),
        (f"{HERE}.Report.__class__", "mro", "has no '__class__'"),
        (f"{HERE}.Report.Base", "inherited", "has no 'Base'"),
    ],
)
def test_resolve_refuses(job, method, message) -> None:
    """An entry that names nothing, or nothing that may be called, is refused and it is said why."""
    with pytest.raises(NotAllowedError, match=message):
        resolve(job, method)


def test_resolve_of_an_absent_module() -> None:
    """A module that is not there is heard of under its name."""
    with pytest.raises(ModuleNotFoundError, match="no_such_module_here"):
        resolve("no_such_module_here.jobs.Report", "build")


@pytest.mark.parametrize(
    ("source", "error"),
    [("import no_such_module_here\n", ModuleNotFoundError), ("1 / 0\n", ZeroDivisionError), ("def (\n", SyntaxError)],
)
def test_errors_of_the_operators_module(tmp_path, monkeypatch, source, error) -> None:
    """A fault inside the operator's module is heard, and not taken for a shorter path."""
    package = tmp_path / "faulty_jobs"
    package.mkdir()
    (package / "__init__.py").write_text("mail = None\n")
    (package / "mail.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(error):
            resolve("faulty_jobs.mail.Mailer", "send")
    finally:
        for name in [name for name in sys.modules if name.startswith("faulty_jobs")]:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("job", "method", "params", "message"),
    [
        (HERE, "add", [], "missing a required argument: 'a'"),
        (HERE, "add", [1, 2, 3], "too many positional arguments"),
        (HERE, "add", {"a": 1, "c": 2}, "unexpected keyword argument 'c'"),
        (f"{HERE}.Report", "build", [], "missing a required argument: 'name'"),
        (f"{HERE}.Report", "build", ["a", 2], "too many positional arguments"),
        (f"{HERE}.Report", "build", {"self": 1, "name": "a"}, "multiple values for argument 'self'"),
        (f"{HERE}.Report", "of_class", {"cls": 1, "x": 1}, "unexpected keyword argument 'cls'"),
    ],
)
def test_params_that_do_not_fit(job, method, params, message) -> None:
    """Params that do not fit the signature are a problem that says how."""
    problem = resolve(job, method).problem(params)
    assert problem is not None
    assert message in problem


def test_params_of_a_callable_that_is_no_function() -> None:
    """A callable that a class holds, but that is not bound to its instance, is given only the params."""
    callee = resolve(f"{HERE}.Report", "two_more")
    assert callee.call([3]) == 5
    assert callee.problem([3]) is None


def test_a_method_of_the_class_in_a_module_is_named(tmp_path, monkeypatch) -> None:
    """Where a module is named for its class, as when both have one name, the error says what to write."""
    (tmp_path / "namesake.py").write_text("class namesake:\n    def build(self): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NotAllowedError, match=r"its class namesake has one: write namesake\.namesake"):
        resolve("namesake", "build")
    assert resolve("namesake.namesake", "build")


def test_generators_that_can_be_seen(monkeypatch) -> None:
    """A generator is refused behind a partial, a bound method, an object; one that a decorator runs is not."""
    module = types.ModuleType("unit_callables_lazy")
    source = """
import functools

def generator(*args):
    yield 1

async def agenerator(*args):
    yield 1

class Called:
    def __call__(self):
        yield 1

class Runs:
    def __call__(self):
        return 1

class C:
    partial = functools.partialmethod(generator)
    good = functools.partialmethod(print)

def run(function):
    @functools.wraps(function)
    def all_of_it(*args):
        return list(function(*args))
    return all_of_it

bound = Called().__call__
called = Called()
partial = functools.partial(functools.partial(agenerator))
runs = Runs()
decorated = run(generator)
cached = functools.lru_cache(print)
"""
    exec(source, vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("generator", "agenerator", "bound", "called", "partial"):
        with pytest.raises(NotAllowedError, match="is a generator: calling it would run nothing"):
            resolve(module.__name__, name)
    with pytest.raises(NotAllowedError, match="is a generator"):
        resolve(f"{module.__name__}.C", "partial")
    for name in ("runs", "decorated", "cached"):
        assert resolve(module.__name__, name).name == name
    assert resolve(f"{module.__name__}.C", "good").call([]) is None

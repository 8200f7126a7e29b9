"""Parameters: a call is refused exactly when it did not get into the function because they do not fit."""

from __future__ import annotations

import contextlib
import functools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.attempt.binding import Callee

ARGUMENTS = st.tuples(
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from(["", "*rest"]),
    st.integers(0, 2),
    st.booleans(),
    st.integers(0, 5),
)
PARAMS = st.lists(st.none(), max_size=7) | st.dictionaries(st.sampled_from("abcdefghk"), st.none(), max_size=6)


@given(ARGUMENTS, PARAMS, st.sampled_from(["function", "method", "class method", "partial"]))
def test_a_call_is_refused_exactly_when_it_does_not_begin(arguments, params, kind) -> None:
    """Whatever the function and the params: the call is refused exactly when it did not get into the function."""
    before, plain, rest, only, others, optional = arguments
    others = others and not before  # inspect of Python 3.11 errs where f(a, /, **k) is given a keyword a
    names = "abcdefgh"[: before + plain]
    spelled = [f"{name}=0" if index >= len(names) - optional else name for index, name in enumerate(names)]
    spelled = spelled[:before] + ["/"] * (before > 0) + spelled[before:] + ([rest] if rest else ["*"] * (only > 0))
    spelled += [f"{name}=0" if optional else name for name in "gh"[:only]] + ["**k"] * others
    first = {"method": ["self"], "class method": ["cls"]}.get(kind, [])
    if before and first:
        spelled = first + spelled
    made: dict = {}
    body = f"def f({', '.join(spelled if before and first else first + spelled)}): return 'in'"
    exec(body, made)
    owner = type("Owner", (), {"f": classmethod(made["f"]) if kind == "class method" else made["f"]})
    if kind == "method":
        callee = Callee("f", vars(owner)["f"], owner)
    elif kind == "class method":
        callee = Callee("f", owner.f, None)
    else:
        function = made["f"] if kind == "function" else functools.partial(made["f"])
        callee = Callee("f", function, None)
    try:
        assert callee.call(params) == "in"
    except TypeError as error:
        refusal = callee.refusal(error, params)
        assert refusal == callee.problem(params)
        assert refusal is not None
        assert refusal.startswith("params do not fit f(")
    else:
        assert callee.problem(params) is None


def logged(function):
    """A decorator as they are often written."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def greeting(function):
    """A decorator that gives an argument of its own, and so changes what the callers give."""

    @functools.wraps(function)
    def wrapper(name):
        return function("hello", name)

    return wrapper


def of_number(function):
    """A decorator that is a class, whose instances are called."""

    class Wrapped:
        def __call__(self, number: int) -> object:
            return function(number)

    return Wrapped()


@logged
def plain(a, b=1):
    return a + b


@greeting
def greet(word, name):
    return f"{word} {name}"


@functools.lru_cache
def cached(a):
    return a + 1


@of_number
def doubled(number):
    return 2 * number


@contextlib.contextmanager
def managed(a):
    yield a


def add(a, b):
    return a + b


async def later(a):
    return a + 1


def raises_at_once(a):
    raise TypeError(a)


def calls_wrongly(a):
    return add(a)


def calls_a_builtin_wrongly(a):
    return len(a)


class Point:
    def __init__(self, x, y=0):
        self.at = x + y


class Slotted:
    """Its own code never runs when it is made."""


class ByNew:
    def __new__(cls, x):
        return x + 1


class Needy:
    def __init__(self, what): ...

    def work(self): ...


class Faulty:
    def __init__(self):
        raise TypeError("while it is made")

    def work(self): ...


class AddToOne:
    """No function: a class does not bind it to its instances."""

    def __call__(self, b):
        return 1 + b


class Report:
    def build(self, name):
        return name.upper()

    @logged
    def decorated(self, name):
        return name.upper()

    part = AddToOne()
    method = functools.partialmethod(build, "x")


def of(function) -> Callee:
    return Callee("f", function, None)


def of_method(owner: type, name: str) -> Callee:
    return Callee(name, vars(owner)[name], owner)


def refused(callee: Callee, params) -> str | None:
    """What a call that raises TypeError is refused for."""
    with pytest.raises(TypeError) as caught:
        callee.call(params)
    return callee.refusal(caught.value, params)


@pytest.mark.parametrize(
    ("callee", "params", "problem"),
    [
        (of(add), [1], "missing a required argument: 'b'"),
        (of(add), [1, 2, 3], "too many positional arguments"),
        (of(add), {"a": 1, "c": 2}, "missing a required argument: 'b'"),
        (of(add), {"a": 1, "b": 2, "c": 2}, "unexpected keyword argument 'c'"),
        (of(later), [], "missing a required argument: 'a'"),
        (of(greet), ["hello", "you"], "too many positional arguments"),
        (of(greet), {"word": "hello"}, "missing a required argument: 'name'"),
        (of(doubled), [], "missing a required argument: 'number'"),
        (of(functools.partial(add, 1)), [2, 3], "too many positional arguments"),
        (of(functools.partial(add)), {"a": 1}, "missing a required argument: 'b'"),
        (of(len), [], "missing a required argument: 'obj'"),
        (of(math.sqrt), [1, 2], "too many positional arguments"),
        (of(Point), [], "missing a required argument: 'x'"),
        (of(Point), {"z": 1}, "missing a required argument: 'x'"),
        (of(Slotted), [1], "too many positional arguments"),
        (of(ByNew), [], "missing a required argument: 'x'"),
        (of_method(Report, "build"), [], "missing a required argument: 'name'"),
        (of_method(Report, "build"), {"self": 1, "name": "a"}, "multiple values for argument 'self'"),
        (of_method(Report, "part"), [], "missing a required argument: 'b'"),
        (of_method(Needy, "work"), [], "Needy: the class must be made without arguments: "),
    ],
)
def test_what_did_not_begin(callee, params, problem) -> None:
    """Params that the very callable does not take, whatever it is, are refused with what it would take."""
    found = refused(callee, params)
    assert found is not None
    assert problem in found


@pytest.mark.parametrize(
    ("callee", "params"),
    [
        (of(add), [1, "x"]),  # raised in the function
        (of(raises_at_once), [1]),
        (of(raises_at_once), {"a": 1}),
        (of(calls_wrongly), [1]),  # raised at the border of a function, but not of ours
        (of(calls_a_builtin_wrongly), [5]),
        (of(plain), []),  # raised in what the decorator made, which takes anything
        (of(plain), {"c": 1}),
        (of(doubled), [None]),
        (of(functools.partial(add, 1)), ["x"]),
        (of(len), [5]),  # a builtin has no frame of its own: its params fit, so it is a failure
        (of(math.sqrt), ["x"]),
        (of(int), [[]]),  # and this one does not say what it takes
        (of(max), []),
        (of(cached), []),
        (of(cached), [[]]),
        (of(Point), ["x"]),
        (of(ByNew), ["x"]),
        (of_method(Faulty, "work"), []),
        (of_method(Faulty, "work"), ["too", "many"]),
        (of_method(Report, "decorated"), []),
        (of_method(Report, "part"), ["x"]),
    ],
)
def test_what_began(callee, params) -> None:
    """A TypeError out of the call itself is a failure of the job, whatever its text says, and no refusal."""
    assert refused(callee, params) is None


@pytest.mark.parametrize(
    ("callee", "params", "result"),
    [
        (of(plain), [1], 2),
        (of(plain), {"a": 1, "b": 5}, 6),
        (of(greet), ["you"], "hello you"),
        (of(cached), [1], 2),
        (of(doubled), {"number": 4}, 8),
        (of(functools.partial(add, b=1)), [1], 2),
        (of(len), ["abc"], 3),
        (of(math.sqrt), [9], 3.0),
        (of(int), ["12"], 12),
        (of(ByNew), [1], 2),
        (of_method(Report, "build"), ["a"], "A"),
        (of_method(Report, "decorated"), {"name": "a"}, "A"),
        (of_method(Report, "part"), [1], 2),
        (of_method(Report, "method"), [], "X"),
    ],
)
def test_what_is_called(callee, params, result) -> None:
    """Whatever a decorator made of a function: it is called with the params as they are."""
    assert callee.call(params) == result


def test_a_generator_in_disguise_is_called() -> None:
    """What a decorator made of a generator is a function like any other."""
    with of(managed).call([5]) as value:
        assert value == 5
    assert "missing a required argument: 'a'" not in (refused(of(managed), []) or "")


def test_an_error_that_was_raised_before() -> None:
    """An error with the trace of another call is none of this one."""
    with pytest.raises(TypeError) as caught:
        add(1)
    assert of(add).refusal(caught.value, [1]) is None
    assert of(add).refusal(TypeError("never raised"), [1]) is None

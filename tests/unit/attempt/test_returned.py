"""What a call returned: has it run, and what is it as JSON. More on the JSON is in test_outcome."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import sqlite3
import types
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any

import pytest

from spoolrunner.attempt import returned
from spoolrunner.attempt.returned import NotKeptError, NotRunError


def generator():
    yield 1


async def agenerator():
    yield 1


async def coroutine() -> int:
    return 1


@types.coroutine
def old_coroutine():
    yield


@contextlib.contextmanager
def manager():
    yield


@contextlib.asynccontextmanager
async def amanager():
    yield


class Callable:
    def __call__(self):
        yield 1


class Awaitable:
    def __await__(self):
        yield


class Cursor:
    """As of a database: an iterator over what was done."""

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


def exhausted(made: Any) -> Any:
    """The generator, run to its end."""
    list(made)
    return made


def over(made: Any) -> Any:
    """The coroutine, closed."""
    made.close()
    return made


def done() -> Future[int]:
    """A future that is done."""
    made: Future[int] = Future()
    made.set_result(1)
    return made


NOT_RUN = {
    "a generator": [generator(), functools.partial(generator)(), Callable()(), (item for item in [])],
    "an asynchronous generator": [agenerator()],
    "a coroutine": [old_coroutine(), Awaitable()],
    "an iterator (map)": [map(print, [1])],
    "an iterator (filter)": [filter(None, [1])],
    "an iterator (zip)": [zip([1], generator(), strict=False)],
    "an iterator (enumerate)": [enumerate(generator())],
    "an iterator (islice)": [itertools.islice(generator(), 1)],
    "an iterator (starmap)": [itertools.starmap(print, [(1,)])],
    "a function": [generator, Callable().__call__, print, functools.partial(print), lambda: None],
    "a context manager": [manager(), amanager()],
    "a future": [Future()],
}


@pytest.mark.parametrize(("what", "values"), NOT_RUN.items(), ids=NOT_RUN)
def test_what_has_not_run(what, values) -> None:
    """Each says what it is and what to do, alone and inside of lists and objects."""
    for value in values:
        assert what in returned.not_run(value)
        for whole in (value, [1, value], {"a": (value,)}):
            with pytest.raises(NotRunError, match="has not run: it needs "):
                returned.json_text(whole, lambda: None)


def test_a_coroutine_has_not_run() -> None:
    """It says so until it is closed."""
    made = coroutine()
    assert returned.is_awaitable(made)
    assert "a coroutine" in returned.not_run(made)
    assert returned.not_run(over(made)) == ""


@pytest.mark.parametrize(
    "value",
    [None, 5, "x", [], {}, iter([1]), Cursor(), sqlite3.connect(":memory:").execute("select 1"), object(), done()],
    ids=lambda value: type(value).__name__,
)
def test_what_has_run(value) -> None:
    """Values, and iterators over what was done already, are no work that is left."""
    assert returned.not_run(value) == ""


def test_a_generator_that_was_used_up() -> None:
    """One that came to its end has run."""
    assert returned.not_run(exhausted(generator())) == ""

    async def use() -> Any:
        made = agenerator()
        async for _ in made:
            pass
        return made

    assert returned.not_run(asyncio.run(use())) == ""


def test_what_can_be_awaited() -> None:
    """It is the type that counts, as for await itself."""

    class Everything:
        def __getattr__(self, name):
            return lambda: None

    assert returned.is_awaitable(Awaitable())
    assert returned.is_awaitable(old_coroutine())
    assert not returned.is_awaitable(generator())
    assert not returned.is_awaitable(Everything())


class Listed(list):
    def __iter__(self):
        return iter(["theirs"])


class Endless(list):
    def __iter__(self):
        return itertools.repeat(1)


class Mapped(dict):
    def items(self):
        return [("theirs", 1)]


@pytest.mark.parametrize("value", [Listed([1]), Mapped(a=1)])
def test_methods_of_the_values_own(value) -> None:
    """They are used as the standard library uses them, and announced first: they may never come back."""
    told = []
    assert json.loads(returned.json_text(value, lambda: told.append(1))) == json.loads(json.dumps(value))
    assert told == [1]


def test_methods_of_python_need_no_announcement() -> None:
    """An ordered dict has methods of its own, and they are Python's."""
    value = OrderedDict(a=1, b=2)
    value.move_to_end("a")
    told = []
    assert returned.json_text([value], lambda: told.append(1)) == '[{"b": 2, "a": 1}]'
    assert told == []


def test_an_endless_value() -> None:
    """A value without end is given up where it is too long."""
    with pytest.raises(NotKeptError, match="more than 65536 bytes"):
        returned.json_text(Endless([1]), lambda: None)

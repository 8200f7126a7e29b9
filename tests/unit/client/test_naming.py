"""How a class, function or method becomes names, and whether parameters fit. Names of whole jobs are in test_enqueue."""

from __future__ import annotations

import functools
import os

import pytest

from spoolrunner.client.enqueue import enqueue
from spoolrunner.client.naming import names_of
from spoolrunner.errors import JobFormatError

HERE = __name__


class Base:
    @classmethod
    def of_class(cls) -> str:
        return cls.__name__

    @staticmethod
    def static() -> None: ...

    def work(self) -> None: ...


class Sub(Base):
    pass


class Slotted(Base):
    __slots__ = ("kept",)


class Stateful(Base):
    def __init__(self, value: int = 0) -> None:
        self.value = value


@functools.lru_cache
def cached() -> None: ...


@pytest.mark.parametrize(
    ("job", "names"),
    [
        (Base.of_class, ("Base", "of_class")),
        (Sub.of_class, ("Sub", "of_class")),
        (Sub().of_class, ("Sub", "of_class")),
        (Sub().work, ("Sub", "work")),
        (Slotted().work, ("Slotted", "work")),
        (Base.static, ("Base", "static")),
        (Base.work, ("Base", "work")),
        (cached, ("", "cached")),
    ],
)
def test_methods_keep_their_class(job, names) -> None:
    """A bound method is that of the class it was asked of, also where a base class defines it."""
    owner, name = names
    assert names_of(job, None) == (f"{__name__}.{owner}".rstrip("."), name)


def test_an_instance_with_state_is_refused() -> None:
    """Its state would not reach the job, and what to give instead is said."""
    slotted = Slotted()
    slotted.kept = 1
    for one in (Stateful(5), Stateful(), slotted):
        with pytest.raises(JobFormatError, match=r"this one's state; give \w+\.work, and what it needs as params"):
            names_of(one.work, None)
    assert names_of(Stateful(5).of_class, None)[1] == "of_class"


@pytest.mark.parametrize(
    ("job", "why"),
    [
        (functools.partial(cached), "a partial has no name"),
        ([].append, "builtin_function_or_method is no dotted path"),
        (5, "int is no dotted path"),
    ],
)
def test_what_has_no_name(job, why) -> None:
    """What cannot be found by a name is refused with a word why."""
    with pytest.raises(JobFormatError, match=why):
        names_of(job, None)


class Priced:
    def sell(self, price, *, currency="EUR"): ...

    @classmethod
    def of(cls, price): ...


class Unmakeable:
    def __init__(self, needed): ...

    def run(self): ...


class Unhashable:
    __hash__ = None

    def __init__(self) -> None:
        self.__name__ = self.__qualname__ = "unhashable"
        self.__module__ = HERE

    def __eq__(self, other: object) -> bool:
        return self is other

    def __call__(self, value): ...


unhashable = Unhashable()


@pytest.fixture
def priced(home) -> None:
    """The configuration allows what the tests of parameters enqueue."""
    jobs = {f"{HERE}.Priced": ["sell", "of"], f"{HERE}.Unmakeable": ["run"], HERE: ["unhashable"]}
    home(allowed_jobs=jobs)


@pytest.mark.usefixtures("priced")
@pytest.mark.parametrize(
    ("job", "method", "fits", "fits_not"),
    [
        (Priced.sell, None, [5], []),
        (Priced.sell, None, {"price": 5, "currency": "USD"}, {"prize": 5}),
        (Priced, "sell", {"price": 5}, [5, "USD"]),
        (Priced.of, None, [5], [5, 6]),
        (unhashable, None, [5], []),
    ],
)
def test_parameters_are_checked_where_the_function_is_given(spool, job, method, fits, fits_not) -> None:
    """Parameters that do not fit the function that is given are refused with its signature, and nothing is published."""
    for _ in range(2):
        with pytest.raises(JobFormatError, match=r"params do not fit \w+\(.*\): ") as caught:
            enqueue(job, method, fits_not)
        assert caught.value.key == "params"
        assert os.listdir(spool.layout.pending) == []
    assert enqueue(job, method, fits).state == "pending"


@pytest.mark.usefixtures("priced")
def test_a_class_that_cannot_be_made(spool) -> None:
    """A method of a class that must be made with arguments is refused when the class is given."""
    with pytest.raises(JobFormatError, match="made without arguments") as caught:
        enqueue(Unmakeable.run)
    assert caught.value.key == "job"
    assert os.listdir(spool.layout.pending) == []


@pytest.mark.usefixtures("priced")
def test_parameters_of_names_are_for_the_job(spool) -> None:
    """Where only names are given nothing is imported: the job's process sees whether the parameters fit."""
    assert enqueue(f"{HERE}.Priced", "sell", []).state == "pending"

"""Faults of an object from outside, each under its key."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from spoolrunner.protocol.faults import LONGEST_NAME, MOST_NAMED, Fault, faults


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=0)]
    colour: str = "red"
    parts: list[Inner] = []
    inner: Inner | None = None
    names: dict[str, Inner | str] = {}
    either: bool | list[str] = True
    grid: list[list[int]] = []
    few: Annotated[list[int], Meta(max_length=2)] = []


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ({"size": 1}, []),
        ({"size": 1, "colour": "blue", "parts": [{"name": "x"}]}, []),
        ({}, [Fault("size", "missing; it is required")]),
        ({"size": -1}, [Fault("size", "expected `int` >= 0")]),
        ({"size": 1, "color": "x"}, [Fault("color", "unknown key (did you mean 'colour'?)")]),
        ({"size": 1, "zzz": "x"}, [Fault("zzz", "unknown key")]),
        ({"size": 1, "colour": None}, [Fault("colour", "expected `str`, got `null`")]),
        ({"size": 1, "parts": [{"name": "x"}, {"name": 1}]}, [Fault("parts[1].name", "expected `str`, got `int`")]),
        ({"size": 1, "inner": {"name": 1}}, [Fault("inner.name", "expected `str`, got `int`")]),
        ({"size": 1, "inner": {}}, [Fault("inner.name", "missing; it is required")]),
        ({"size": 1, "inner": {"name": "x", "nam": 1}}, [Fault("inner.nam", "unknown key (did you mean 'name'?)")]),
        ({"size": 1, "parts": [{"name": "x"}, {}]}, [Fault("parts[1].name", "missing; it is required")]),
        ({"size": 1, "parts": [{"name": "x"}, 5]}, [Fault("parts[1]", "expected `object`, got `int`")]),
        ({"size": 1, "names": {"a": "x", "b": {"name": 1}}}, [Fault("names[...].name", "expected `str`, got `int`")]),
        ({"size": 1, "names": {"a": 1}}, [Fault("names[...]", "expected `str | object`, got `int`")]),
        ({"size": 1, "either": ["x", 1]}, [Fault("either[1]", "expected `str`, got `int`")]),
        ({"size": 1, "either": 1}, [Fault("either", "expected `bool | array`, got `int`")]),
        ({"size": 1, "grid": [[1], [2, "x"]]}, [Fault("grid[1][1]", "expected `int`, got `str`")]),
        ({"size": 1, "few": [1, 2, 3]}, [Fault("few", "expected `array` of length <= 2")]),
    ],
)
def test_faults(raw, found) -> None:
    """Each fault is named by its path, and a right object has none."""
    assert faults(raw, Shape) == found


def test_many_unknown_keys_are_counted() -> None:
    """A hundred thousand unknown keys are told in a few lines, and so is one that is very long."""
    found = faults({"size": 1, "k" * 1000: 0, **{str(number): 0 for number in range(100_000)}}, Shape)
    assert found[-1] == Fault("", "and 99981 more unknown keys")
    assert len(found) == MOST_NAMED + 1
    assert len(found[0].key) == LONGEST_NAME + 1


def test_every_fault_inside() -> None:
    """One faulty part does not hide another, in order of the parts."""
    found = faults({"size": 1, "parts": [{"name": 1}, {"name": "x"}, 7]}, Shape)
    assert [fault.key for fault in found] == ["parts[0].name", "parts[2]"]


def test_many_faults_inside_are_not_all_named() -> None:
    """A hundred thousand faulty parts are told in a few lines."""
    found = faults({"size": 1, "parts": [{}] * 100_000}, Shape)
    assert found[-1] == Fault("parts", f"has more than {MOST_NAMED} faults")
    assert len(found) == MOST_NAMED + 1


def test_a_key_that_looks_like_a_path() -> None:
    """What a stranger writes into keys and values cannot be taken for the path of a fault."""
    hostile = "x - at `$.size`"
    assert faults({"size": 1, "names": {hostile: 1}}, Shape)[0].key == "names[...]"
    assert faults({"size": 1, "inner": {"name": "x", hostile: 1}}, Shape)[0].key == f"inner.{hostile}"


def test_every_fault() -> None:
    """One fault does not hide another."""
    found = faults({"colour": 1, "parts": {}, "x": 1}, Shape)
    assert [fault.key for fault in found] == ["x", "size", "colour", "parts"]


@pytest.mark.parametrize(("fault", "text"), [(Fault("a.b", "bad"), "a.b: bad"), (Fault("", "bad"), "bad")])
def test_fault_as_text(fault, text) -> None:
    """A fault reads as its key and its problem."""
    assert str(fault) == text

"""The orphans that a dispatcher gets."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from spoolrunner.dispatch import orphaned
from spoolrunner.dispatch.orphaned import IDLE_PERIOD, LOOK_PERIOD, Orphaned


class World:
    """Children of this process: `living`, and `ended`; the executor has started those that are in `started`."""

    def __init__(self) -> None:
        self.living: set[int] = set()
        self.ended: set[int] = set()
        self.started: set[int] = set()

    def are_ours(self) -> bool:
        return True

    def children(self) -> set[int]:
        return self.started

    def among(self, known: set[int]) -> list[int]:
        return sorted((self.living | self.ended) - known)

    def is_ended(self, pid: int) -> bool:
        return pid in self.ended

    def collect(self, pid: int) -> None:
        self.ended.remove(pid)


@pytest.fixture
def world(monkeypatch) -> World:
    made = World()
    monkeypatch.setattr(orphaned, "orphans", made)
    return made


def test_what_has_ended_is_collected(world) -> None:
    """But for what the executor has started, which it collects itself; while some live they are looked at again."""
    chore = Orphaned(world, {}, is_program=True)
    world.living, world.ended, world.started = {1}, {2, 3}, {3}
    assert chore.next_in(0.0) == 0.0
    chore.work(0.0)
    assert world.ended == {3}
    assert chore.next_in(0.0) == LOOK_PERIOD
    world.living, world.ended = set(), {1, 3}
    chore.work(LOOK_PERIOD / 2)
    assert world.ended == {1, 3}
    chore.work(LOOK_PERIOD)
    assert world.ended == {3}


def test_an_idle_dispatcher_looks_rarely(world) -> None:
    """While nothing runs and none are there; what ran leaves none behind either: there is one look after it."""
    running = {"x": SimpleNamespace()}
    chore = Orphaned(world, running, is_program=True)
    chore.work(0.0)
    assert chore.next_in(0.0) == LOOK_PERIOD
    chore.work(0.5)
    running.clear()
    assert chore.next_in(0.5) == LOOK_PERIOD - 0.5
    chore.work(1.0)
    assert chore.next_in(1.0) == IDLE_PERIOD


def test_a_program_that_does_more_keeps_its_children(world) -> None:
    """In a program with children of its own nothing is collected."""
    chore = Orphaned(world, {}, is_program=False)
    world.ended = {1}
    chore.work(0.0)
    assert (world.ended, chore.next_in(0.0)) == ({1}, math.inf)

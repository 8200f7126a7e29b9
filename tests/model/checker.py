"""Breadth first through all states of a world: the first state that breaks a promise is reached by a shortest trace."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from tests.model.rules import Promise
from tests.model.state import State, describe
from tests.model.steps import Model, Move
from tests.model.world import broken, is_at_rest, moves


class Found(NamedTuple):
    """What a search found: how many states it has seen; the promise that is broken, and how it came to that."""

    states: int
    promise: str = ""
    trace: tuple[Move, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.states:,} states; {self.promise or 'every promise kept'}"]
        before = ""
        for number, move in enumerate(self.trace, 1):
            lines.append(f"{number:3}. {move.actor} {move.says}")
            after = describe(move.state)
            lines += [f"     {after}"] if after != before else []
            before = after
        return "\n".join(lines)


class Search:
    """The states that were seen, each with the move that first led to it and the steps of the living that lead on."""

    def __init__(self, model: Model, first: State) -> None:
        self._model = model
        self._index: dict[State, int] = {first: 0}
        self._states = [first]
        self._came: list[tuple[int, Move | None]] = [(0, None)]
        self._led_by: list[list[int]] = [[]]

    def run(self, until: Callable[[State], bool] | None = None, most: int | None = None) -> Found:
        """Search all states (AssertionError beyond `most`), to the first that breaks a promise or for which `until` holds."""
        queue = deque([0])
        while queue:
            at = queue.popleft()
            for move in moves(self._model, self._states[at]):
                reached = self._index.get(move.state)
                if reached is None:
                    reached = self._add(at, move)
                    queue.append(reached)
                    promise = broken(move.state)
                    if promise or (until is not None and until(move.state)):
                        return Found(len(self._states), promise, self._trace(reached))
                if not move.is_disturbance:
                    self._led_by[reached].append(at)
            assert most is None or len(self._states) <= most, f"more than {most} states"
        stuck = self._first_stuck()
        return (
            Found(len(self._states))
            if stuck is None
            else Found(len(self._states), Promise.RECOVERS, self._trace(stuck))
        )

    def _add(self, at: int, move: Move) -> int:
        number = len(self._states)
        self._index[move.state] = number
        self._states.append(move.state)
        self._came.append((at, move))
        self._led_by.append([])
        return number

    def _trace(self, at: int) -> tuple[Move, ...]:
        trace: list[Move] = []
        while at:
            at, move = self._came[at]
            assert move is not None, "only the first state came from nowhere"
            trace.append(move)
        return tuple(reversed(trace))

    def _first_stuck(self) -> int | None:
        """The first state from which the living, undisturbed, cannot come to rest."""
        good = bytearray(len(self._states))
        queue = deque(number for number, state in enumerate(self._states) if is_at_rest(state))
        for number in queue:
            good[number] = 1
        while queue:
            for before in self._led_by[queue.popleft()]:
                if not good[before]:
                    good[before] = 1
                    queue.append(before)
        return next((number for number, is_good in enumerate(good) if not is_good), None)


def search(model: Model, first: State, until: Callable[[State], bool] | None = None, most: int | None = None) -> Found:
    """What is found in the world of that model from that state on."""
    was_enabled = gc.isenabled()
    gc.disable()  # there are no cycles among the states, and looking for them again and again takes half of the time
    try:
        return Search(model, first).run(until, most)
    finally:
        if was_enabled:
            gc.enable()

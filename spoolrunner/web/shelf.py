"""The files of the folders in the order in which they came, counted: what lists and counts of the page are made from."""

from __future__ import annotations

import os
from bisect import bisect_left
from typing import NamedTuple

from spoolrunner.protocol.states import State
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout


class Place(NamedTuple):
    """When a file came to its folder, in seconds since 1970, and its name."""

    came_at: float
    name: str


class Shelf:
    """The folders of one spool."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def counts(self) -> dict[str, int]:
        """Return how many files lie in each folder; OSError when the spool is gone."""
        spool = Spool(self._layout)
        return {state.value: sum(1 for _ in spool.names(state)) for state in State}

    def newest(self, state: State, most: int, before: Place | None = None) -> list[Place]:
        """Return the `most` files that came last to a folder, newest first; with `before` those that came before that one."""
        places = self._places(state)
        end = len(places) if before is None else bisect_left(places, before)
        return places[max(0, end - most) : end][::-1]

    def _places(self, state: State) -> list[Place]:
        found = []
        for name in Spool(self._layout).names(state):
            try:
                found.append(Place(os.lstat(self._layout.job(state, name)).st_ctime, name))
            except FileNotFoundError:
                continue
        return sorted(found)

"""The jobs of one folder in the order in which they came there, of which there may be a million. Touches no disk.

A name takes about 150 bytes: its text, an entry of a dict, and a place in the order. It comes, moves and goes in microseconds.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

_MOST = 512
"""Names in a block; a fuller one is divided."""


class Came(NamedTuple):
    """When a job's file came to its folder, in nanoseconds since 1970, and its name without .json. In this order they lie."""

    at_ns: int
    id: str


class Arrived:
    """The names of one folder. Those of which it is not known yet when they came are counted, and are in no order."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._firsts: list[Came] = []
        """The first of each block."""
        self._where: dict[str, _Block | None] = {}
        self.placed = 0
        """How many have their place in the order."""

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def names(self) -> list[str]:
        """Return all names, in no order."""
        return list(self._where)

    def add(self, name: str) -> bool:
        """Take a name in of which it is not known when it came; False when it is there already."""
        if name in self._where:
            return False
        self._where[name] = None
        return True

    def place(self, name: str, at_ns: int) -> bool:
        """Give a name, new or not, its place in the order; False when it has that place already."""
        block = self._where.get(name)
        if block is not None:
            at = block.index(name)
            if block.times[at] == at_ns:
                return False
            self._take_out(block, at)
        self._put_in(Came(at_ns, name))
        return True

    def remove(self, name: str) -> bool:
        """Forget a name; False when it is not there."""
        if name not in self._where:
            return False
        block = self._where.pop(name)
        if block is not None:
            self._take_out(block, block.index(name))
        return True

    def older(self, than: Came | None) -> Iterator[Came]:
        """Yield what came before `than` (None: all), the latest first. Nothing may come or go meanwhile."""
        at = len(self._blocks) if than is None else bisect_left(self._firsts, than)
        for block in reversed(self._blocks[:at]):
            end = len(block.names) if than is None else block.position(than)
            for index in range(end - 1, -1, -1):
                yield Came(block.times[index], block.names[index])

    def since(self, moment: Came) -> Iterator[Came]:
        """Yield what came at `moment` or after it, the earliest first. Nothing may come or go meanwhile."""
        at = max(0, bisect_left(self._firsts, moment) - 1)
        for block in self._blocks[at:]:
            for index in range(block.position(moment), len(block.names)):
                yield Came(block.times[index], block.names[index])

    def count_before(self, moment: Came) -> int:
        """Return how many with a place came before that."""
        at = bisect_left(self._firsts, moment)
        if at == 0:
            return 0
        return sum(len(block.names) for block in self._blocks[: at - 1]) + self._blocks[at - 1].position(moment)

    def _put_in(self, came: Came) -> None:
        at = max(0, bisect_right(self._firsts, came) - 1)
        if not self._blocks:
            self._blocks.append(_Block())
            self._firsts.append(came)
        elif len(self._blocks[at].names) >= _MOST:
            at = self._with_room(at, came)
        block = self._blocks[at]
        position = block.position(came)
        block.times.insert(position, came.at_ns)
        block.names.insert(position, came.id)
        self._where[came.id] = block
        self.placed += 1
        if position == 0:
            self._firsts[at] = came

    def _with_room(self, at: int, came: Came) -> int:
        """Return the number of the block for a name that belongs into a full one: a new one at the end, or a half of it."""
        full, made = self._blocks[at], _Block()
        self._blocks.insert(at + 1, made)
        if at == len(self._blocks) - 2 and full.position(came) == len(full.names):
            self._firsts.append(came)
            return at + 1
        half = len(full.names) // 2
        made.names, made.times = full.names[half:], full.times[half:]
        del full.names[half:], full.times[half:]
        self._where.update(dict.fromkeys(made.names, made))
        first = Came(made.times[0], made.names[0])
        self._firsts.insert(at + 1, first)
        return at + 1 if first <= came else at

    def _take_out(self, block: _Block, index: int) -> None:
        at = bisect_right(self._firsts, Came(block.times[index], block.names[index])) - 1
        del block.names[index], block.times[index]
        self.placed -= 1
        if not block.names:
            del self._blocks[at], self._firsts[at]
        elif index == 0:
            self._firsts[at] = Came(block.times[0], block.names[0])


class _Block:
    """Some names that follow one another, and when they came."""

    __slots__ = ("names", "times")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.times = array("q")

    def index(self, name: str) -> int:
        return self.names.index(name)

    def position(self, came: Came) -> int:
        """Where it is, or where it belongs."""
        begin = bisect_left(self.times, came.at_ns)
        return bisect_left(self.names, came.id, begin, bisect_right(self.times, came.at_ns, begin))

"""Groups of jobs: how many of each may run at a time, and how often they may start, by the operator's `limits`.

    limits = GroupLimits({"mail": {"concurrency": 2, "rate": "100/m"}, "customer.*": {"concurrency": 1}})
    limits.of("customer.42").concurrency

Reads no files and no clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from spoolrunner.protocol.names import GROUP_RULE, is_group
from spoolrunner.system import times

MOST_STARTS = 100_000
"""The most starts that a rate may allow: the time of each is kept."""
_RATE = re.compile(r"([0-9]{1,9})/([0-9]*\.?[0-9]*[smhd])", re.ASCII)
_ANY = "*"


class Rate(NamedTuple):
    """At most `starts` starts within any `seconds` seconds."""

    starts: int
    seconds: float


class AsWritten(Protocol):
    """A limit as it stands in config.json."""

    concurrency: int | None
    rate: str | None


@dataclass(frozen=True, slots=True)
class GroupLimit:
    """How many jobs of one group may run at a time, and how often they may start; None means no limit."""

    concurrency: int | None = None
    rate: Rate | None = None


NO_LIMIT = GroupLimit()


def pattern_problem(pattern: str) -> str:
    """Return why `pattern` can be no key of `limits`, else "": a group or, with * at its end, all that begin like it."""
    beginning = pattern.removesuffix(_ANY)
    if not pattern or _ANY in beginning:
        return "write the name of a group, or its beginning and one * at the end, as in customer.*"
    if beginning and not is_group(beginning if beginning == pattern else beginning + "x"):
        return f"no group has such a name: it is {GROUP_RULE}"
    return ""


def parse_rate(text: str) -> Rate:
    """Return the rate that `text` names, as "100/m", "5/10s" or "1000/d"; ValueError says what is wrong with it."""
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is no rate: write a number of starts and a time, as in "100/m", "5/10s", "1000/d"')
    starts, period = int(found[1]), found[2]
    seconds = times.parse_duration(period if len(period) > 1 else "1" + period)
    if not 1 <= starts <= MOST_STARTS:
        raise ValueError(f"{text!r} is out of range: a rate allows 1 to {MOST_STARTS} starts")
    if seconds == 0:
        raise ValueError(f"{text!r}: the time must be more than 0 seconds")
    return Rate(starts, seconds)


class GroupLimits:
    """The limits of all groups, by the keys of `limits` in config.json, which have been checked."""

    def __init__(self, given: Mapping[str, AsWritten]) -> None:
        made = {
            key: GroupLimit(limit.concurrency, None if limit.rate is None else parse_rate(limit.rate))
            for key, limit in given.items()
        }
        self._exact = {key: limit for key, limit in made.items() if not key.endswith(_ANY)}
        patterns = sorted((key for key in made if key.endswith(_ANY)), key=len, reverse=True)
        self._patterns = [(key[: -len(_ANY)], made[key]) for key in patterns]
        self.of = lru_cache(maxsize=4096)(self._of) if made else self._none
        """Return the limit of a group: that of its own name, else that of the longest pattern it fits, else none."""

    @property
    def longest_window(self) -> float:
        """The seconds of the longest rate; 0 when there is none."""
        every = [*self._exact.values(), *(limit for _, limit in self._patterns)]
        return max((limit.rate.seconds for limit in every if limit.rate is not None), default=0.0)

    def _none(self, _group: str) -> GroupLimit:
        return NO_LIMIT

    def _of(self, group: str) -> GroupLimit:
        if not group:
            return NO_LIMIT
        exact = self._exact.get(group)
        if exact is not None:
            return exact
        return next((limit for beginning, limit in self._patterns if group.startswith(beginning)), NO_LIMIT)

"""The due jobs by lane, and the lanes that stand before a gate: the next job is found without a look at those that must wait.

A lane is the jobs of one method and group: the same limits and pauses hold all of them up. A gate is one limit that is
reached, or one pause. A lane whose first job may not start stands before that gate until the gate is freed, however many jobs
it has. Each job keeps its place: what is next is decided by the entries alone. Pure; knows neither files nor clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from spoolrunner.dispatch.postponed import Key


class LaneKey(NamedTuple):
    """What the jobs of a lane have in common; `group` is empty for those that belong to none."""

    job: str
    method: str
    group: str = ""


class Lane:
    """The jobs of one lane. `entries` is a heap of those that are due; `count` counts all, due or not.

    `shown` is the entry that stands for the lane where it stands: before `gate` or, without one, in the open.
    """

    __slots__ = ("count", "entries", "gate", "key", "shown")

    def __init__(self, key: LaneKey) -> None:
        self.key = key
        self.entries: list[Entry] = []
        self.count = 0
        self.gate: Gate | None = None
        self.shown: Entry | None = None

    def __lt__(self, other: object) -> bool:
        return False  # of two entries of one id and equal numbers one was left behind, and which comes first is all one


Entry = tuple[float, float, str, Lane]
"""(first key, second key, job_id, lane) of a job that is due; (due_at, priority, job_id, lane) of one that is not."""
Ask = Callable[[LaneKey], Key | None]
"""Returns None when a job of that lane may start now, else the key of the gate that it must wait before."""


class Gate:
    """A limit that is reached, or a pause. `entries` is a heap of the entries shown by the `lanes` that stand here.

    When it `is_open`, somebody may pass: `shown` is the entry that stands for it in the open.
    """

    __slots__ = ("entries", "is_open", "key", "lanes", "shown")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.entries: list[Entry] = []
        self.lanes: set[Lane] = set()
        self.is_open = False
        self.shown: Entry | None = None


class Held(NamedTuple):
    """A gate before which due jobs wait: its key, the id of the next one (or that was, if it was removed), and their lanes."""

    key: Key
    first: str
    lanes: set[Lane]

    @property
    def waiting(self) -> int:
        """About how many jobs wait: entries that a change left behind are counted too."""
        return sum(len(lane.entries) for lane in self.lanes)


class Lanes:
    """All lanes. `jobs` has the entry that counts of each job; any other is one that a change left behind."""

    def __init__(self, jobs: Mapping[str, Entry]) -> None:
        self._jobs = jobs
        self._lanes: dict[LaneKey, Lane] = {}
        self._gates: dict[Key, Gate] = {}
        self._open: list[Entry] = []

    def __bool__(self) -> bool:
        """Whether there may be a job to `pop`."""
        return bool(self._open)

    def enter(self, key: LaneKey) -> Lane:
        """Return the lane of that key, which has one job more from now on."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
        lane.count += 1
        return lane

    def leave(self, lane: Lane) -> None:
        """A job of that lane waits no more: an empty lane is forgotten."""
        lane.count -= 1
        if not lane.count:
            del self._lanes[lane.key]
            lane.shown = None
            self._leave_gate(lane)

    def push(self, entry: Entry) -> None:
        """A job has become due."""
        lane = entry[3]
        heappush(lane.entries, entry)
        if lane.shown is None or entry < lane.shown:
            self._show(lane, entry)

    def pop(self, ask: Ask) -> Entry | None:
        """Return the first job that may start, and take it out of its lane; None when there is none.

        A lane that may not start goes before the gate that `ask` names.
        """
        while self._open:
            entry = heappop(self._open)
            lane = entry[3]
            gate = lane.gate
            if gate is not None and gate.shown is entry:
                gate.shown = None
                if self._first_at(gate) is not entry:
                    self._show_gate(gate)
                    continue
            elif gate is not None or lane.shown is not entry:
                continue  # it was left behind
            if self._first_of(lane) is not entry:
                self._show_first(lane)
                if gate is not None:
                    self._show_gate(gate)
                continue
            wanted = ask(lane.key)
            if wanted is None:
                heappop(lane.entries)
                lane.shown = None
                self._leave_gate(lane)
                self._show_first(lane)
                return entry
            self._stand(lane, wanted)
        return None

    def free(self, key: Key) -> None:
        """Somebody may pass this gate again; nothing when nobody stands there."""
        gate = self._gates.get(key)
        if gate is not None and not gate.is_open:
            gate.is_open = True
            self._show_gate(gate)

    def held(self) -> Iterator[Held]:
        """The gates before which due jobs wait, the oldest first."""
        for key, gate in self._gates.items():
            first = None if gate.is_open else self._first_at(gate)
            if first is not None:
                yield Held(key, first[2], gate.lanes)

    def drop_stale(self) -> None:
        """Forget every entry that a change left behind."""
        for lane in self._lanes.values():
            lane.entries = [entry for entry in lane.entries if self._jobs.get(entry[2]) is entry]
            heapify(lane.entries)
            lane.shown = lane.entries[0] if lane.entries else None
        self._open = [lane.shown for lane in self._lanes.values() if lane.gate is None and lane.shown is not None]
        heapify(self._open)
        for gate in self._gates.values():
            gate.entries = [lane.shown for lane in gate.lanes if lane.shown is not None]
            heapify(gate.entries)
            gate.shown = None
            self._show_gate(gate)

    def _first_of(self, lane: Lane) -> Entry | None:
        entries = lane.entries
        while entries and self._jobs.get(entries[0][2]) is not entries[0]:
            heappop(entries)
        return entries[0] if entries else None

    def _show_first(self, lane: Lane) -> None:
        first = self._first_of(lane)
        if first is None:
            lane.shown = None
        else:
            self._show(lane, first)

    def _show(self, lane: Lane, entry: Entry) -> None:
        lane.shown = entry
        gate = lane.gate
        if gate is None:
            heappush(self._open, entry)
        else:
            heappush(gate.entries, entry)
            if gate.is_open and (gate.shown is None or entry < gate.shown):
                gate.shown = entry
                heappush(self._open, entry)

    def _first_at(self, gate: Gate) -> Entry | None:
        """The best entry that a lane shows here; one whose job was removed meanwhile is still shown."""
        entries = gate.entries
        while entries and (entries[0][3].gate is not gate or entries[0][3].shown is not entries[0]):
            heappop(entries)
        return entries[0] if entries else None

    def _show_gate(self, gate: Gate) -> None:
        first = self._first_at(gate) if gate.is_open else None
        gate.shown = first
        if first is not None:
            heappush(self._open, first)

    def _stand(self, lane: Lane, key: Key) -> None:
        """Let the lane stand before the gate of that key, which nobody may pass now."""
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = Gate(key)
        gate.is_open, gate.shown = False, None
        if lane.gate is not gate:
            self._leave_gate(lane)
            lane.gate = gate
            gate.lanes.add(lane)
            self._show_first(lane)

    def _leave_gate(self, lane: Lane) -> None:
        gate = lane.gate
        if gate is None:
            return
        lane.gate = None
        gate.lanes.discard(lane)
        if not gate.lanes:
            del self._gates[gate.key]
        elif gate.is_open:
            self._show_gate(gate)

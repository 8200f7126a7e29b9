"""A dispatcher in the words of status.json."""

from __future__ import annotations

import math
import os
from itertools import islice
from typing import TYPE_CHECKING, Any

import spoolrunner
from spoolrunner.dispatch.admission import WHY
from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.postponed import Why
from spoolrunner.system import machine
from spoolrunner.system.clock import format_time

if TYPE_CHECKING:
    from spoolrunner.dispatch.service import Service

MOST_TROUBLED = 10
"""Sentences about single jobs among what is wrong."""
MOST_POSTPONED = 100
"""Entries of what is put off that status.json shows."""


def describe(service: Service) -> dict[str, Any]:
    """What the dispatcher does at this moment, as JSON data; without the time it is written."""
    rooms = service.rooms
    behind_namesakes = rooms.register.count(Why.ID_BUSY)
    trouble = [
        service.problem,
        rooms.readiness.problem,
        *rooms.executor.trouble,
        service.reloading.trouble,
        *service.recurring.trouble,
        service.watch.reason,
        service.code_watch.reason,
        *rooms.reporter.trouble,
        *service.part_pauses.troubles,
        *_kept_off(service),
    ]
    return {
        "state": Phase.BLOCKED.word if service.phase.starts and rooms.readiness.problem else service.phase.word,
        "pid": os.getpid(),
        "host": machine.host(),
        "version": spoolrunner.__version__,
        "started_at": format_time(service.began),
        "events": "events" if service.watch.has_events else "polling",
        "concurrency": rooms.config.concurrency,
        "waiting": len(rooms.order) + behind_namesakes + rooms.intake.dependencies.waiting,
        "due": rooms.order.due(rooms.clock.wall()) + behind_namesakes,
        "running": rooms.running.describe(),
        "postponed": _postponed(service),
        "held": [*_held(service), *_after(service)],
        "totals": service.totals.counts(),
        "trouble": [text for text in trouble if text] + _elsewhere(service) + service.weaknesses.sentences,
    }


def in_figures(service: Service) -> dict[str, Any]:
    """What the history says of each minute's end: state, and how many jobs are due, wait and run."""
    rooms = service.rooms
    return {
        "state": service.phase.word,
        "due": rooms.order.due(rooms.clock.wall()),
        "waiting": len(rooms.order) + rooms.intake.dependencies.waiting,
        "running": len(rooms.running),
    }


def _kept_off(service: Service) -> list[str]:
    """A sentence for each job that something is wrong with which a person may have to mend; the first of them."""
    found = [entry for entry in service.rooms.register.all(-math.inf) if entry.problem]
    sentences = [f"{entry.job_id}: {entry.problem}" for entry in found[:MOST_TROUBLED]]
    return [*sentences, f"and {len(found) - MOST_TROUBLED} more like that"] if found[MOST_TROUBLED:] else sentences


def _elsewhere(service: Service) -> list[str]:
    """What runs where it cannot be reached, each a sentence."""
    register, now = service.rooms.register, service.rooms.clock.monotonic()
    entries = (entry for entry in register.all(now) if entry.why is Why.NOT_RESOLVED and entry.detail)
    return [entry.detail for entry in islice(entries, MOST_POSTPONED)]


def _postponed(service: Service) -> list[dict[str, Any]]:
    clock = service.rooms.clock
    now, wall = clock.monotonic(), clock.wall()
    return [
        {"id": entry.job_id, "why": entry.why.value, "until": _moment(entry.until, now, wall)}
        for entry in islice(service.rooms.register.all(now), MOST_POSTPONED)
    ]


def _held(service: Service) -> list[dict[str, Any]]:
    """The first limits and pauses that due jobs wait for: how many wait, which is next and, if that is known, until when."""
    rooms = service.rooms
    clock, admission = rooms.clock, rooms.admission
    now, wall = clock.monotonic(), clock.wall()
    found = []
    for held in islice(rooms.order.held(), MOST_POSTPONED):
        by, *names = held.key
        until = now + admission.opens_in(names[0], now) if by == "rate" else math.inf
        found.append(
            {
                "by": by,
                "name": ".".join(names),
                "why": WHY[by].value,
                "waiting": held.waiting,
                "first": held.first,
                "until": _moment(until, now, wall),
            }
        )
    return found


def _after(service: Service) -> list[dict[str, Any]]:
    """How many jobs wait for others and, for each name that lies in no folder, how many wait for that."""
    dependencies = service.rooms.intake.dependencies
    everything = {"by": "after", "name": "", "why": Why.AFTER_OTHERS.value, "waiting": dependencies.waiting}
    found = [everything] if dependencies.waiting else []
    for name, waiting, first in dependencies.first_nowhere(MOST_TROUBLED):
        found.append({"by": "after", "name": name, "why": Why.AFTER_NOBODY.value, "waiting": waiting, "first": first})
    return found


def _moment(until: float, now: float, wall: float) -> str | None:
    """A monotonic time as RFC 3339 to the second, or None when it is infinite."""
    return None if until == float("inf") else format_time(round(wall + until - now))

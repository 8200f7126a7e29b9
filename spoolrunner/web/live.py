"""The stream that tells open pages when to look again, and where rows of a list have gone. What is seen is drawn by the pages.

A message is a few bytes, and says only that something changed: whoever reads slowly misses nothing, and takes up no room. One
who does not read at all is dropped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from spoolrunner.client.look import check_id, find
from spoolrunner.web.answers import web_of
from spoolrunner.web.pulse import Pulse

MOST_STREAMS = 200
"""Open streams; a page that gets none looks by itself every ten seconds."""
HEARTBEAT = 15
"""Seconds between two signs of life, by which a page knows that it is still heard."""
PATIENCE = 10.0
"""Seconds for which a message may wait for a reader."""
_GRACE = 1.0
"""Seconds that a stream has to end by itself when the page's server does."""
_MOST_ROWS = 100


async def _events(request: Request) -> Response:
    pulse = web_of(request).pulse
    if pulse.streams >= MOST_STREAMS:
        text = f"{MOST_STREAMS} pages listen already; this one looks by itself.\n"
        return PlainTextResponse(text, 503, {"retry-after": "60"})
    ending = anyio.Event()
    return EventSourceResponse(
        _listening(pulse, ending),
        ping=HEARTBEAT,
        ping_message_factory=_beat,
        send_timeout=PATIENCE,
        shutdown_event=ending,
        shutdown_grace_period=_GRACE,
    )


def _beat() -> ServerSentEvent:
    return ServerSentEvent(event="beat", data="")


async def _listening(pulse: Pulse, ending: anyio.Event) -> AsyncIterator[ServerSentEvent]:
    """Say that something changed, each time that it did, as often as the pace allows, until `ending` is set."""
    pulse.streams += 1
    try:
        yield _beat()
        seen = pulse.version()
        while not ending.is_set():
            with anyio.move_on_after(pulse.pace()):
                await ending.wait()
            if (now := pulse.version()) != seen:
                seen = now
                yield ServerSentEvent(event="changed", data=now)
    finally:
        pulse.streams -= 1


def _where(request: Request) -> Response:
    """Return the folder of each job that is asked for by `id`, null for one that is nowhere."""
    layout = web_of(request).desk.layout
    ids = [check_id(one) for one in request.query_params.getlist("id")[:_MOST_ROWS]]
    found = {one: find(layout, one) for one in ids}
    return JSONResponse({one: seen.state.value if seen else None for one, seen in found.items()})


ROUTES: list[BaseRoute] = [Route("/events", _events), Route("/where", _where)]

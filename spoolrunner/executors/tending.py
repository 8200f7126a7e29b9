"""How a template keeps its post: the signals that are sent to all processes at once are not for it. Light: it imports this.

A template ends when its dispatcher closes the socket. If it went with the first signal of a stop, nobody could tell how its
jobs ended.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # without the classes of `signal`, which each fork would copy
import sys

assert sys.platform != "win32"  # noqa: S101 -- there are no templates

_OF_STOPS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def outlive_stops() -> None:
    """In the template: let the signals wait that ask programs to end. They are not ignored, which its jobs would inherit."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _OF_STOPS)


set_mask, HEED_STOPS = signal.pthread_sigmask, (signal.SIG_UNBLOCK, _OF_STOPS)
"""To be called with these in a child that is to be a job's process: they end it. What waits at the template is not inherited.

It is no function of ours, since each call of one costs a forked process copies of memory.
"""

"""The one door by which a command prints text: every line is made printable on its way out.

File names, documents, logs and what a dispatcher wrote about itself come from others, and may hold anything. No other module of
this room calls `print`; `tests/house` checks that.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from spoolrunner.telling.line_format import printable


def say(*lines: str) -> None:
    """Print each text as one line on standard output."""
    for line in lines or [""]:
        print(printable(line))


def complain(*lines: str) -> None:
    """Print each text as one line on standard error."""
    with suppress(OSError):  # it is full, or read by nobody, and there is no other place to say it
        for line in lines:
            print(printable(line), file=sys.stderr, flush=True)


def row(cells: Sequence[str]) -> None:
    """Print cells as one line on standard output, with tabs between."""
    print("\t".join(map(printable, cells)))

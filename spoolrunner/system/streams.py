"""The three standard descriptors of a command, whatever they are: closed, in another encoding, or read by nobody.

Some launchers start a program with descriptors 0 to 2 closed. The next files that it opened would get those numbers, and what
is printed would be written into them.
"""

from __future__ import annotations

import io
import os
import sys


def make_ready() -> None:
    """Open the closed ones of descriptors 0, 1 and 2 on the null device, and let no print fail for a character."""
    for number in range(3):
        _fill(number)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 -- it stays open
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal may know fewer characters than we print, and a file name need not be UTF-8.
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


def flush() -> OSError | None:
    """Write out what standard output still keeps; returns the error when that cannot be done, and nothing is kept then.

    Python would try again while it ends, print a complaint of its own, and end with a status of its own.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        discard()
        return error
    return None


def discard() -> None:
    """Send what is still to be printed nowhere: nobody reads it, or it cannot be written."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def _fill(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        else:
            os.set_inheritable(number, True)

"""The last lines of the log that the dispatcher writes, taken apart again into what they say.

    for said in last_lines(layout, 200):
        said.kind, said.id

Reads the end of logs/background_jobs.log, and of the file before it where that is not enough.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from spoolrunner.client.raw import RawFile
from spoolrunner.errors import JobFormatError
from spoolrunner.spool import jobfile
from spoolrunner.spool.paths import Layout
from spoolrunner.system.times import parse_time
from spoolrunner.telling.logfiles import ALL

FILE = ALL
"""The log of all events; with .1 behind it the one before."""
_NAME = re.compile(r"background_jobs(_errors)?\.log(\.[1-9])?")
_MOST_READ = 1 << 20
"""Bytes of a file that are looked at, from its end."""
_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
_ESCAPED = re.compile(r'\\(["\\])')


class Said(NamedTuple):
    """One line. `at` is in seconds since 1970, `fields` are all of key=value, `line` is all of it as it stands in the file."""

    at: float
    kind: str
    id: str
    fields: dict[str, str]
    line: str


def last_lines(layout: Layout, most: int, wanted: str = "", kinds: frozenset[str] = frozenset()) -> list[Said]:
    """Return the last `most` lines that hold the text `wanted`, newest first; with `kinds`, of these kinds alone.

    OSError when the log is there and cannot be read. What is no line of ours is left out.
    """
    found: list[Said] = []
    for name in (FILE, f"{FILE}.1"):
        for line in reversed(_tail(os.path.join(layout.logs, name))):
            if wanted in line and (said := parse(line)) is not None and (not kinds or said.kind in kinds):
                found.append(said)
                if len(found) == most:
                    return found
    return found


def log_file(layout: Layout, name: str) -> RawFile | None:
    """Return a log of the dispatcher, open; None when there is none of that name. OSError when it cannot be read."""
    if not _NAME.fullmatch(name):
        return None
    path = os.path.join(layout.logs, name)
    try:
        return RawFile(path, jobfile.open_to_read(path))
    except FileNotFoundError:
        return None
    except JobFormatError as error:
        raise OSError(str(error)) from error


def parse(line: str) -> Said | None:
    """Return what a line says; None when it is none of ours."""
    moment, _, rest = line.partition(" ")
    kind, _, rest = rest.partition(" ")
    try:
        at = parse_time(moment)
    except ValueError:
        return None
    if not kind.isalpha():
        return None
    fields = {name: _plain(value) for name, value in _FIELD.findall(rest)}
    return Said(at, kind, fields.get("id", ""), fields, line)


def _tail(path: str) -> list[str]:
    """The lines at the end of a file; a line whose beginning lies before what is read is left out."""
    try:
        with jobfile.open_to_read(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            begin = max(0, size - _MOST_READ)
            stream.seek(begin)
            data = stream.read(_MOST_READ)
    except FileNotFoundError:
        return []
    except JobFormatError as error:
        raise OSError(str(error)) from error
    lines = data.decode("utf-8", "replace").split("\n")
    return [line for line in (lines[1:] if begin else lines) if line]


def _plain(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value

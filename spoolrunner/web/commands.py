"""The command lines and file operations that do the same as a button, as they are typed in sh inside of the spool.

Pure words: what they say is done elsewhere, by the desk.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from spoolrunner.telling.line_format import printable
from spoolrunner.web.filters import WORDS


def chosen(verb: str, folder: str, given: Mapping[str, str]) -> str:
    """Return the line for all jobs in a folder that fit the filters: `spoolrunner retry --error ValueError --newer 1d`."""
    options = [word for name in WORDS if given.get(name) for word in _option(name, given[name])]
    if verb == "retry" and folder == "failed" and not options:
        return line("retry", "--all")
    return line(verb, "--state", folder, *options) if folder != "failed" or verb == "discard" else line(verb, *options)


def named(verb: str, ids: Sequence[str], *options: str) -> str:
    """Return the line for jobs that are named: `spoolrunner retry ID ID`; of many the first are written out."""
    words = [*ids[:3], "…"] if len(ids) > 4 else list(ids)
    guard = ["--"] if any(word.startswith("-") for word in words) else []
    return line(verb, *options, *guard, *words)


def line(*words: str) -> str:
    """Return a command line of ours, each word quoted where the shell needs it."""
    return " ".join(("spoolrunner", *(_quoted(word) for word in words)))


def moved(folder: str, name: str, target: str) -> str:
    """A file is moved, and overwrites nothing."""
    return f"mv -n {_quoted(f'{folder}/{name}.json')} {target}/"


def removed(paths: Iterable[str]) -> str:
    """Files are removed."""
    return " ".join(("rm", *map(_quoted, paths)))


def touched(path: str) -> str:
    """An empty file is made."""
    return f"touch {_quoted(path)}"


def _option(name: str, value: str) -> tuple[str, ...]:
    return (f"--{name}={value}",) if value.startswith("-") else (f"--{name}", value)


def _quoted(word: str) -> str:
    return word if word == "…" else printable(shlex.quote(word))

"""What a command has done, as a person would have done it by hand: for sh, or for PowerShell on Windows."""

from __future__ import annotations

import re
import shlex
import sys

from spoolrunner.telling.line_format import printable

if sys.platform == "win32":
    _TOUCH = ("ni",)
    _MOVE = ("mv",)  # refuses a target that exists

    def _quoted(word: str) -> str:
        return word if re.fullmatch(r"[\w.:\\~-]+", word) else "'" + word.replace("'", "''") + "'"
else:
    _TOUCH = ("touch",)
    _MOVE = ("mv", "-n")

    _quoted = shlex.quote


def shown(path: str) -> str:
    """The content of a file was printed."""
    return _line("cat", path)


def touched(path: str) -> str:
    """An empty file was made."""
    return _line(*_TOUCH, path)


def removed(path: str) -> str:
    """A file was removed."""
    return _line("rm", path)


def moved(source: str, folder: str) -> str:
    """A file was moved into a folder in which its name was free."""
    return _line(*_MOVE, source, folder)


def written(path: str, word: str) -> str:
    """A file was made that holds one word."""
    return f"{_line('echo', word)} > {_line(path)}"


def _line(*words: str) -> str:
    return " ".join(printable(_quoted(word)) for word in words)

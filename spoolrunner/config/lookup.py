"""Which file is taken for config.json, and whether it may be: it decides what runs, so a stranger's must not be found.

Owns the search and the rules of trust. What the file says is for `load`.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import NamedTuple

from spoolrunner.errors import ConfigError
from spoolrunner.spool.recognise import is_inside
from spoolrunner.system import owners
from spoolrunner.system.heldfiles import open_file, read_all

FILE_NAME = "config.json"
VARIABLE = "SPOOLRUNNER_CONFIG"
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class FoundFile(NamedTuple):
    """The content of config.json, and the users who decide it: the owner of the file and, if it is a link, that of the link."""

    data: bytes
    owners: frozenset[int]
    status: os.stat_result


def find_config(explicit: str | None = None) -> str:
    """Return the absolute path of config.json; ConfigError when there is none.

    It is `explicit`, else $SPOOLRUNNER_CONFIG, else the nearest one in the working directory and the folders above it. A file
    inside a spool is never taken for it, since producers may choose its name and its content.
    """
    given = _named(explicit)
    if given:
        if not os.path.isfile(given):
            origin = "--config" if explicit else f"${VARIABLE}"
            raise ConfigError(given, [f"{_what_is_there(given)} (named by {origin})"])
        if is_inside(given):
            raise ConfigError(given, ["lies inside a spool, where producers may write; move it out of the spool"])
        return os.path.abspath(given)
    here = folder = os.getcwd()
    while True:
        candidate = os.path.join(folder, FILE_NAME)
        if os.path.isfile(candidate) and not is_inside(candidate):
            return candidate
        if os.path.dirname(folder) == folder:
            advice = f"name one with --config or ${VARIABLE}, or make one with `spoolrunner init DIR`"
            raise ConfigError(FILE_NAME, [f"not found in {here} or any folder above it; {advice}"])
        folder = os.path.dirname(folder)


def _what_is_there(path: str) -> str:
    if not os.path.isdir(path):
        return "no such file"
    inside = os.path.join(path, FILE_NAME)
    return f"is a folder; name the file: {inside}" if os.path.isfile(inside) else f"is a folder without {FILE_NAME}"


def read_file(path: str) -> FoundFile:
    """Read the file at `path`; ConfigError when that is not possible."""
    try:
        descriptor = open_file(path, _FLAGS)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(path, ["is no regular file"])
            data = read_all(descriptor)
        finally:
            os.close(descriptor)
        return FoundFile(data, frozenset((status.st_uid, os.lstat(path).st_uid)), status)
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error.strerror}"]) from None


def check_owners(path: str, found: FoundFile, root: str, *, to_run: bool) -> None:
    """Raise ConfigError when a file that was found, not named, or its folder belongs to a user whose word does not count here.

    This user and root may say what runs (`to_run`). What runs nothing may also be configured by the owner of the spool at
    `root`: root can look into the spools of others. A file that a person named is taken, whoever it belongs to.
    """
    ours = owners.effective_user()
    if ours is None:
        return
    trusted, deciding = {0, ours}, set(found.owners)
    if to_run:
        deciding.add(os.stat(os.path.dirname(path)).st_uid)  # he can put modules beside it, and another in its place
    else:
        with suppress(OSError):  # where there is no spool, nobody owns it
            trusted.add(os.stat(root).st_uid)
    strangers = sorted(deciding - trusted)
    if strangers:
        who = f"was found, not named, and belongs to user {strangers[0]}"
        what = (
            "whose programs would run as you" if to_run else "who is neither you, nor root, nor the owner of the spool"
        )
        raise ConfigError(path, [f"{who}, {what}; if that is meant, name it with --config or ${VARIABLE}"])


def is_named(explicit: str | None) -> bool:
    """Return whether a person has named the file, so that it is not looked for."""
    return bool(_named(explicit))


def _named(explicit: str | None) -> str | None:
    return explicit or os.environ.get(VARIABLE)

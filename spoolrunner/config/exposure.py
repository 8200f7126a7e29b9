"""Files and folders whose permissions let other users in where only the operator should be.

Owns the rules of docs/security.md, as far as the owner and the mode of a file show it. Changes nothing, and reads no access
lists: on Windows it finds nothing.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys

from spoolrunner.config.load import Config
from spoolrunner.config.lookup import read_file
from spoolrunner.errors import ConfigError
from spoolrunner.spool.mounts import warnings
from spoolrunner.spool.paths import FOLDERS, LATER_FOLDERS, Layout
from spoolrunner.system import programs

if sys.platform != "win32":
    import grp
    import pwd

    def _is_private_group(uid: int, gid: int) -> bool:
        try:
            user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
        except KeyError:
            return False
        return user.pw_gid == gid and group.gr_name == user.pw_name and not group.gr_mem


_OPEN_TO_A_GROUP = ("pending", "tmp")
_READ, _ENTER = 0o044, 0o011


def weaknesses(config: Config) -> list[str]:
    """What weakens the promise in this installation, each a sentence: the file system of the spool, and who else may write."""
    return [*warnings(config.layout), *loose(config)]


def loose(config: Config) -> list[str]:
    """Return what is open to others and should not be, each a sentence with what to do; empty when nothing is."""
    if sys.platform == "win32":
        return []
    replaceable: dict[str, str] = {}
    for path, what in _trusted(config):
        replaceable = _replaceable(path, what) | replaceable
    found = list(replaceable.values())
    try:
        found += _spool(config.layout)
        if config.signing_key_path:
            found += _readable(config.signing_key_path)
    except OSError as error:
        found.append(f"{error.filename} cannot be looked at: {error.strerror}")
    return found


def read_secret(path: str) -> str:
    """Return the first line of a file; ConfigError when it cannot be read, or by others too, or when that line is empty."""
    found = read_file(path)
    if sys.platform != "win32" and found.status.st_mode & _READ:
        raise ConfigError(path, ["can be read by others, who would know the secret: chmod go-rwx it"])
    secret = found.data.decode("utf-8", "replace").partition("\n")[0].strip()
    if not secret:
        raise ConfigError(path, ["its first line is empty; the secret stands there"])
    return secret


def _trusted(config: Config) -> list[tuple[str, str]]:
    """Return the files and folders that decide which code runs, each with the reason why it matters."""
    decides = "whoever writes it decides what runs"
    places = [(config.path, decides), (config.layout.root, "whoever replaces it owns every job")]
    places += [(entry, decides) for entry in config.python_path]
    # The link to the interpreter lies in the virtual environment, the interpreter itself where the link leads.
    for program in [shutil.which(config.python_binary), *_commands(config)]:
        places += [(os.path.dirname(program), decides), (program, decides)] if program else []
    return places


def _commands(config: Config) -> list[str | None]:
    """The programs of commands, where they are found by us."""
    folders = programs.search_path(dict(os.environ) | config.file.environment)
    policies = (policy for methods in config.allowed.values() for policy in methods.values())
    names = {policy.command.template.program for policy in policies if policy.command is not None}
    return [programs.find(name, folders, config.folder) for name in sorted(names)]


def _spool(layout: Layout) -> list[str]:
    """Return sentences on the folders of the spool that others can use; two of them may be open to a group."""
    found = []
    is_open = os.stat(layout.root).st_mode & _ENTER
    later = [name for name in LATER_FOLDERS if os.path.isdir(os.path.join(layout.root, name))]
    for name in (*FOLDERS, *later) if is_open else ():
        path = os.path.join(layout.root, name)
        mode = os.stat(path).st_mode
        if name not in _OPEN_TO_A_GROUP and mode & 0o077:
            found.append(f"{path} is open to others: chmod go-rwx it")
        elif mode & 0o007:
            found.append(f"{path} is open to everybody: chmod o-rwx it, and let a group in")
        elif mode & 0o020 and not mode & stat.S_ISVTX:
            found.append(f"{path} lets its group replace each other's files, and ours: chmod +t it")
    return found


def _replaceable(path: str, what: str) -> dict[str, str]:
    """Return where on the way from / to `path` others can put something else in its place: path -> a sentence."""
    found: dict[str, str] = {}
    path = os.path.realpath(path)
    while True:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return found  # its user reports that
        except OSError as error:
            found[path] = f"{path} cannot be looked at: {error.strerror}; {what}"
            return found
        is_sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if _others_may_write(status) and not is_sticky:
            found[path] = f"{path} can be written by others: chmod go-w it; {what}"
        if sys.platform != "win32" and status.st_uid not in (0, os.geteuid()):
            found[path] = f"{path} belongs to user {status.st_uid}; {what}"
        parent = os.path.dirname(path)
        if parent == path:
            return found
        path = parent


def _others_may_write(status: os.stat_result) -> bool:
    """Return whether other users may write; a private group of the owner, as many systems make for each user, is no other."""
    group_may = bool(status.st_mode & 0o020)
    if sys.platform != "win32":
        group_may = group_may and not _is_private_group(status.st_uid, status.st_gid)
    return group_may or bool(status.st_mode & 0o002)


def _readable(path: str) -> list[str]:
    if os.stat(path).st_mode & _READ:
        return [f"{path} can be read by others, who can sign with it: chmod go-rwx it"]
    return []

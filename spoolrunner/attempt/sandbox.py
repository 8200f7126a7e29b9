"""A sandbox for a command, made by bubblewrap: it sees the system's programs, what is named, and nothing else. Linux.

Only a command with a sandbox, and `check`, import it. What it keeps away is said in docs/security.md.
"""

from __future__ import annotations

import os

from spoolrunner.system import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Sandbox = tuple[list[str], list[str], bool]
    """Absolute paths that may be read, paths that may be read and written, and whether the network is there."""

PROGRAM = "bwrap"
_ALONE = ["--unshare-all", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 -- its own
"""Namespaces of its own (the network too), no capabilities, its own processes, a few harmless devices, an empty /tmp."""
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Programs and their libraries; each is a folder, or a link into /usr."""
_SETTINGS = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "fonts")
"""Of /etc: what programs need to be found and to run, and nothing about users."""
_CERTIFICATES = ("ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/ca-trust", "ca-certificates")
_NET_SETTINGS = ("hosts", "nsswitch.conf", "resolv.conf", "services", "protocols", *_CERTIFICATES)


def problem(sandbox: Sandbox, folders: str) -> str:
    """Return why it cannot be made, as far as that can be seen; nothing when it can. `folders` are those of PATH."""
    if _wrapper(folders) is None:
        return f"sandbox: bubblewrap is not there ({PROGRAM} in PATH: {folders}), and nothing is run without it"
    read, write, _ = sandbox
    for key, paths in (("read", read), ("write", write)):
        for path in paths:
            if not os.path.exists(path):
                return f"sandbox.{key}: {path} does not exist"
    return ""


def words(sandbox: Sandbox, command: Sequence[str], folder: str, folders: str) -> list[str]:
    """Return the words that run a command in the sandbox, in `folder`: its first word is the absolute path of the program.

    The program keeps its environment and its standard streams. What it starts is not ended with it: who ends the attempt
    ends that. `folders` are those of PATH.
    """
    read, write, has_network = sandbox
    program = command[0]
    made = [_wrapper(folders) or PROGRAM, *_ALONE]
    if has_network:
        made.append("--share-net")
    for path in _SYSTEM:
        if os.path.islink(path):
            made += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            made += ["--ro-bind", path, path]
    for name in (*_SETTINGS, *(_NET_SETTINGS if has_network else ())):
        made += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    made += ["--dir", folder]
    bound = [
        (path, "--ro-bind") for path in dict.fromkeys([program, os.path.realpath(program)]) if not _is_systems(path)
    ]
    bound += [(path, "--ro-bind") for path in read] + [(path, "--bind") for path in write]
    for path, how in sorted(bound, key=_depth):  # what lies in another comes after it, and counts there
        made += [how, path, path]
    return [*made, "--chdir", folder, "--", *command]


def _wrapper(folders: str) -> str | None:
    return programs.find(PROGRAM, folders, os.curdir)


def _is_systems(path: str) -> bool:
    return path.startswith(tuple(f"{folder}/" for folder in _SYSTEM))


def _depth(bound: tuple[str, str]) -> int:
    return len(bound[0])

"""Where the page answers: an address of this machine, or a socket in the file system; and what else is refused.

    with listen(parse_bind("unix:/run/spoolrunner/page.sock")) as socket: ...

A socket in the file system is for its owner alone (0600) from the moment that it is there.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from spoolrunner.errors import SpoolRunnerError

DEFAULT = "127.0.0.1:8417"
"""Where a page answers when nothing else is asked for."""
_UNIX = "unix:"
_BACKLOG = 128


class BindError(SpoolRunnerError):
    """The page cannot, or must not, answer there."""

    exit_code = 2


class Bind(NamedTuple):
    """Where to answer: `host` and `port`, or `path` of a socket in the file system."""

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether nobody on another machine can reach it."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_bind(text: str) -> Bind:
    """Return what `HOST:PORT`, `PORT` or `unix:PATH` means; BindError when it means nothing."""
    if text.startswith(_UNIX):
        path = text[len(_UNIX) :]
        if not path:
            raise BindError(f"{text!r}: the path of the socket is missing, as in unix:/run/spoolrunner/page.sock")
        if sys.platform == "win32":
            raise BindError("a socket in the file system is not to be had on Windows: write 127.0.0.1:PORT")
        return Bind(path=os.path.abspath(path))
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not port.isascii() or not port.isdigit() or int(port) > 0xFFFF:
        raise BindError(f"{text!r} is no place to answer at: write HOST:PORT, as in {DEFAULT}, or unix:PATH")
    return Bind(host, int(port))


def check_bind(bind: Bind, *, has_password: bool, has_proxy_header: bool) -> None:
    """Raise BindError for a place that other machines reach, unless something tells who may come in."""
    if not bind.is_loopback and not has_password and not has_proxy_header:
        raise BindError(
            f"{bind.host} can be reached by other machines: give a password with --password-file, or the header of a proxy "
            "that lets people in with --proxy-header; or bind 127.0.0.1 and use ssh -L"
        )


@contextmanager
def listen(bind: Bind) -> Iterator[socket.socket]:
    """Listen there, and stop at the end; BindError when that cannot be had."""
    try:
        found = _unix(bind.path) if bind.path else _inet(bind)
    except OSError as error:
        where = bind.path or f"{bind.host}:{bind.port}"
        hint = "; another program listens there: choose another port" if error.errno == errno.EADDRINUSE else ""
        raise BindError(f"cannot listen at {where}: {error.strerror or error}{hint}") from None
    with found:
        yield found
    if bind.path:
        with suppress(OSError):  # somebody has taken it away, or put another in its place
            os.unlink(bind.path)


def _inet(bind: Bind) -> socket.socket:
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let a second program listen at the same place
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((bind.host, bind.port))
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


if sys.platform != "win32":

    def _unix(path: str) -> socket.socket:
        """A socket for its owner alone: its mode is set by the mask of the process before it has a name."""
        _remove_left(path)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            made.bind(path)
            made.listen(_BACKLOG)
        except BaseException:
            made.close()
            raise
        finally:
            os.umask(mask)
        return made

    def _remove_left(path: str) -> None:
        """Remove a socket on which nobody listens any more; anything else that lies there is left."""
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise OSError(errno.EEXIST, "something else than a socket lies there", path)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
                try:
                    trial.connect(path)
                except ConnectionRefusedError:
                    os.unlink(path)
                    return
            raise OSError(errno.EADDRINUSE, "another program listens there", path)

else:

    def _unix(path: str) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, "no sockets in the file system", path)


def address(bind: Bind, found: socket.socket, prefix: str, token: str) -> str:
    """Return the address to be opened, with the one-time token in it."""
    if bind.path:
        return f"http://localhost{prefix}/?token={token} (over {bind.path})"
    host = f"[{bind.host}]" if ":" in bind.host else bind.host
    shown = "127.0.0.1" if host == "0.0.0.0" else "[::1]" if host == "[::]" else host  # noqa: S104 -- it is compared
    return f"http://{shown}:{found.getsockname()[1]}{prefix}/?token={token}"

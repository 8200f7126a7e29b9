"""What the operator of a page may set: where it answers, whom it lets in, what it shows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from spoolrunner.errors import JobFormatError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""The names of this machine, by which a page on it is always asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one page behaves.

    `prefix` is the path below which a proxy shows it: "" or like "/jobs". `allowed_hosts` are the names, without a port, by
    which it may be asked for, beside those of the loopback. `password` lets in whoever knows it; `proxy_header` is the name of
    the header in which a proxy says who it has let in. `is_read_only` shows no button and takes no action; `hides_params`
    shows no parameters of jobs, nor files that hold them.
    """

    prefix: str = ""
    allowed_hosts: frozenset[str] = field(default_factory=frozenset)
    password: str | None = None
    proxy_header: str | None = None
    is_read_only: bool = False
    hides_params: bool = False


def parse_prefix(text: str) -> str:
    """Return the path below which a proxy shows the page, without a slash at its end; JobFormatError when it is none."""
    prefix = text.rstrip("/")
    if prefix and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", prefix):
        raise JobFormatError("--prefix", f"{text!r} is no path of an address, as /jobs")
    return prefix

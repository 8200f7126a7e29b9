"""config.json for programs that ask often: parsed once, and again only when its file changed."""

from __future__ import annotations

import os

from spoolrunner.config.load import Config, find_config, load_config
from spoolrunner.config.lookup import is_named

_loaded: dict[str, tuple[tuple[int, ...], bool, Config]] = {}
"""path -> what its file was like, whether a person had named it, and what it says."""


def settings_in_force(explicit: str | None = None) -> Config:
    """Return the configuration at `explicit`, else where the command line finds it; ConfigError with every problem in it."""
    path = find_config(explicit)
    status = os.stat(path)
    version = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_uid)
    named = is_named(explicit)
    known = _loaded.get(path)
    # One that is named is taken from any owner; one that is found is not.
    if known is None or known[0] != version or (known[1] and not named):
        known = _loaded[path] = (version, named, load_config(explicit))
    return known[2]

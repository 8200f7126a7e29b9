"""config.json for programs that ask often: parsed once, and again only when its file changed."""

from __future__ import annotations

import os

from spoolrunner.config.load import Config, find_config, load_config

_loaded: dict[str, tuple[tuple[int, int], Config]] = {}


def settings_in_force(explicit: str | None = None) -> Config:
    """Return the configuration at `explicit`, else where the command line finds it; ConfigError with every problem in it."""
    path = find_config(explicit)
    status = os.stat(path)
    version = (status.st_mtime_ns, status.st_size)
    known = _loaded.get(path)
    if known is None or known[0] != version:
        known = _loaded[path] = (version, load_config(path))
    return known[1]

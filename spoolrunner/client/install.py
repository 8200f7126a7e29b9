"""Making an installation: a folder with config.json, and the spool's folders."""

from __future__ import annotations

import os
from typing import Any

import orjson

from spoolrunner.config.load import FILE_NAME, Config, load_config
from spoolrunner.spool.folders import Spool
from spoolrunner.system import durable


def make_config(folder: str, content: dict[str, Any], *, fsync: bool) -> tuple[str, bool]:
    """Make `folder` with config.json in it, unless it has one; return the path of config.json and whether it was made."""
    path = os.path.join(os.path.abspath(folder), FILE_NAME)
    if os.path.exists(path):
        return path, False
    os.makedirs(os.path.dirname(path), exist_ok=True)
    durable.write_new(path, orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n", fsync)
    return path, True


def make_spool(path: str) -> Config:
    """Make the folders that are missing of the spool of the config.json at `path`, and return that configuration.

    ConfigError when it is wrong; SpoolLayoutError when the folders cannot be made, or are not what the protocol needs.
    """
    settings = load_config(path)
    spool = Spool(settings.layout)
    spool.make()
    spool.check()
    return settings

"""What tests of executors share: a plan for the spool of a configuration, and a queue of what ended."""

from __future__ import annotations

import os
import queue
from dataclasses import fields
from typing import Any

import pytest

from spoolrunner.executors.base import Plan
from spoolrunner.executors.plan import runner_settings
from spoolrunner.spool.folders import Spool


@pytest.fixture
def exits() -> queue.SimpleQueue[Any]:
    """What the executor reports, as (key, status)."""
    return queue.SimpleQueue()


@pytest.fixture
def plan_of():
    """A plan for this configuration, whose spool is made."""

    def make(config, **changes: Any) -> Plan:
        Spool(config.layout, fsync=False).make()
        values = {
            "kind": "auto",
            "python": config.python_binary,
            "settings": runner_settings(config, "").to_bytes(),
            "root": config.layout.root,
            "boot": "",
            "folder": config.folder,
            "environment": dict(os.environ),
            "preload": [],
            "loaded": lambda files: None,
            "notice": lambda event: None,
        }
        return Plan(**{field.name: {**values, **changes}[field.name] for field in fields(Plan)})

    return make

"""What the crash tests share: a world for each run, on a file system that is fast and does not use inodes again."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

pytest.register_assert_rewrite("tests.crash.faults", "tests.crash.scenarios", "tests.crash.failing")

from tests.crash import faults  # noqa: E402 -- its assertions are rewritten first
from tests.crash.faults import World  # noqa: E402 -- as above

# Thousands of worlds are made, and the modules of the package are the same in each: they are looked for once.
faults._modules = functools.cache(faults._modules)


class MakeWorld(Protocol):
    """Makes a world, for the time of a block."""

    def __call__(self, **settings: Any) -> contextlib.AbstractContextManager[World]: ...


@contextlib.contextmanager
def new_world(**settings: Any) -> Iterator[World]:
    """A world in a folder of its own that is gone afterwards; `settings` are keys of config.json."""
    memory = "/dev/shm" if sys.platform == "linux" and os.access("/dev/shm", os.W_OK) else None
    # What a killed process had open is closed with the test that simulated it, so on Windows it may outlast the folder's end.
    made = tempfile.TemporaryDirectory(dir=memory, ignore_cleanup_errors=sys.platform == "win32")
    with made as folder, World(folder, **settings).installed() as world:
        yield world


@pytest.fixture
def make_world() -> MakeWorld:
    """Makes worlds, each in a folder of its own that is gone afterwards."""
    return new_world

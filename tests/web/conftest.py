"""A page that is served on a spool of the test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import pytest

from spoolrunner.spool.dispatcher_lock import DispatcherLock, is_held
from spoolrunner.system.clock import SYSTEM
from spoolrunner.web.settings import Settings
from tests.daemon.harness import until
from tests.web.served import Served


@pytest.fixture
def serve(tmp_path, spool) -> Iterator[Callable[..., Served]]:
    """Serve the spool; keywords are keys of config.json, `settings` are those of the page. One has come in already."""
    made: list[Served] = []

    def begin(settings: Settings | None = None, **keys) -> Served:
        path = tmp_path / "config.json"
        raw = {"allowed_jobs": {"app.Report": ["build", "send"]}, "fsync": False, **keys}
        path.write_text(json.dumps({**raw, "spool": os.path.basename(spool.layout.root)}))
        served = Served(str(path), settings)
        made.append(served)
        served.come_in()
        until(lambda: not served.desk.index.is_counting or bool(served.desk.index.problem))
        return served

    yield begin
    for served in made:
        served.close()


@pytest.fixture
def dispatcher(spool) -> Iterator[Callable[..., None]]:
    """Hold the spool's lock as a dispatcher does; keywords are what status.json says."""
    lock = DispatcherLock(spool.layout.dispatcher_lock)

    def tell(**said) -> None:
        if not is_held(spool.layout.dispatcher_lock):
            assert lock.acquire({"pid": 4127, "since": "2026-11-27T11:00:00Z"})
        status = {"state": "running", "updated_at": SYSTEM.text(), "concurrency": 4, "due": 0, **said}
        with open(spool.layout.status, "w", encoding="utf-8") as stream:
            json.dump(status, stream)

    yield tell
    lock.release()

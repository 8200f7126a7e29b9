"""A page that is served on a spool of the test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import pytest

from spoolrunner.web.settings import Settings
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
        return served

    yield begin
    for served in made:
        served.close()

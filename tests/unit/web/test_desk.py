"""What the page asks of the desk."""

from __future__ import annotations

import os

import pytest

from spoolrunner.errors import ConfigError
from spoolrunner.web.desk import Desk


def test_a_configuration_that_changes(home) -> None:
    """A changed file is in force at once; while it is unfit the last fit one is, and what is wrong is said."""
    path = home(concurrency=3)
    desk = Desk(path)
    assert (desk.config.concurrency, desk.in_force().problems) == (3, [])
    home(concurrency=4)
    assert desk.config.concurrency == 4
    with open(path, "w", encoding="ascii") as stream:
        stream.write("{")
    assert (desk.config.concurrency, len(desk.in_force().problems)) == (4, 1)
    os.unlink(path)
    assert (desk.config.concurrency, len(desk.in_force().problems)) == (4, 1)
    home(concurrency=5)
    assert desk.in_force().problems == []


def test_unfit_at_first(tmp_path) -> None:
    """Without a configuration there is no page."""
    with pytest.raises(ConfigError):
        Desk(str(tmp_path / "nothing.json"))

"""The demo's files."""

from __future__ import annotations

import csv
import os

from spoolrunner.client import showcase
from spoolrunner.client.settings import settings_in_force
from spoolrunner.protocol.states import State


def test_what_the_demo_works_on(home) -> None:
    """The table has a row for each module of the program, which all are there."""
    files = showcase.source_files()
    assert os.path.join(showcase.source_folder(), "spool", "settling.py") in files
    with open(showcase.write_table(settings_in_force()), newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [os.path.join(showcase.source_folder(), row["module"]) for row in rows] == files
    assert all(int(row["bytes"]) >= 0 for row in rows)


def test_what_a_stranger_drops(home, spool) -> None:
    """Bytes that are no job are published as they are."""
    settings = settings_in_force()
    showcase.make_folders(settings)
    showcase.drop(settings, "x", b"torn")
    assert spool.read(State.PENDING, "x").data == b"torn"
    assert (showcase.state_of(settings, "x"), showcase.state_of(settings, "y")) == ("pending", None)

"""What the machine says of itself."""

from __future__ import annotations

import os
import sys

import pytest

from spoolrunner.system import machine, processes


def test_the_name_of_this_machine_is_asked_for_once(monkeypatch) -> None:
    """The name is that of the system, and kept."""
    monkeypatch.setattr(machine, "_host", "")
    name = machine.host()
    assert name
    monkeypatch.setattr(machine, "_host", "another")
    assert machine.host() == "another"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names its boots")
def test_a_boot_has_a_name() -> None:
    """It is the same for every process until the machine is started again."""
    assert len(machine.boot_id()) == 8
    assert machine.Machine().boot_id() == machine.boot_id()


def test_a_machine_knows_the_start_of_a_process() -> None:
    """It is the word of `processes`."""
    boot = machine.boot_id()
    assert machine.Machine().started(os.getpid(), boot) == processes.started(os.getpid(), boot)

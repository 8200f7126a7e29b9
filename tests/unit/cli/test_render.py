"""How things look on a terminal."""

from __future__ import annotations

import pytest

from spoolrunner.cli import render
from spoolrunner.protocol.states import State


@pytest.mark.parametrize("columns", ["0", "1", "30", "200", "many"])
@pytest.mark.parametrize("words", [["list"], ["list", "pending"], ["status", "--no-dispatcher-ok"], ["show", "a-job"]])
def test_a_terminal_of_any_width_shows_something(command, drop, monkeypatch, columns, words) -> None:
    """Whatever COLUMNS says, 0 included, the id of a job, or its state, can be read."""
    monkeypatch.setattr(render, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", columns)
    drop(State.PENDING, "a-job", {"meta": {"text": "\x1b[31m" + "x" * 5000}})
    told = command(*words)
    assert told.code == 0
    assert "pending" in told.out or "a-job" in told.out
    assert "\x1b[31m" not in told.out


@pytest.mark.parametrize(
    ("reported", "text"),
    [
        (None, ""),
        ({}, ""),
        ({"fraction": 0.6, "text": "sailing"}, "60% sailing"),
        ({"fraction": "much", "text": 5}, "5"),
        ({"fraction": 1e300}, ""),
        ({"fraction": [1]}, ""),
    ],
)
def test_progress_of_any_shape(reported, text) -> None:
    """What is no share of the work is left out."""
    assert render.progress(reported) == text

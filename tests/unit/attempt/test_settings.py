"""The settings of a job's process, and their way across the process boundary."""

from __future__ import annotations

import orjson
import pytest

from spoolrunner.attempt.settings import Settings
from spoolrunner.protocol.policy import Limits, Policy


def settings(**changes) -> Settings:
    plain = {
        "root": "/spool",
        "boot": "b",
        "fsync": True,
        "max_log_bytes": 4096,
        "limits": Limits(3600.0, 100),
        "python_path": ["/a", "/ü"],
        "allowed": {"app.A": {"b": Policy(timeout=5.0, memory=64 << 20), "c": Policy()}, "app.D": {}},
        "default_policy": Policy(on_crash="fail"),
    }
    return Settings(**{**plain, **changes})


@pytest.mark.parametrize(
    "changes", [{}, {"signing_key": "00" * 32}, {"allowed": {}, "python_path": [], "fsync": False}]
)
def test_the_way_across(changes) -> None:
    """Settings come out on the other side as they went in, with values of the same types."""
    made = settings(**changes)
    again = Settings.from_bytes(made.to_bytes())
    assert again == made
    assert type(again.default_policy) is Policy
    assert type(again.limits) is Limits
    assert all(type(policy) is Policy for methods in again.allowed.values() for policy in methods.values())


def test_they_travel_as_one_json_object() -> None:
    """The bytes are one JSON object without a line break, which the template's protocol embeds in an object of its own."""
    data = settings().to_bytes()
    assert b"\n" not in data
    assert orjson.loads(b'{"settings":' + data + b"}")["settings"]["root"] == "/spool"


def test_a_key_that_only_one_side_knows() -> None:
    """Settings of another version of the package are an error, not a process that runs jobs by half of them."""
    raw = orjson.loads(settings().to_bytes())
    with pytest.raises(TypeError, match="surprise"):
        Settings.from_bytes(orjson.dumps({**raw, "surprise": 1}))

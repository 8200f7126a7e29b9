"""config.json is parsed again when it changed, and only then."""

from __future__ import annotations

from spoolrunner.client.settings import settings_in_force


def test_parsed_once_until_it_changes(home) -> None:
    """The same configuration is the same object; a changed file is another one."""
    path = home()
    first = settings_in_force()
    assert settings_in_force(path) is first
    home(concurrency=3)
    assert settings_in_force().concurrency == 3

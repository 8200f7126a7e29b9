"""What can be paused by itself."""

from __future__ import annotations

import pytest

from spoolrunner.config.pausable import in_words, pause_problem


@pytest.mark.parametrize("name", ["app.Report.build", "group-mail", "group-customer.1"])
def test_what_can_be_paused(config, name) -> None:
    """An allowed method can be paused, and any group."""
    assert pause_problem(config(), name) == ""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("app.Report.bild", "did you mean 'app.Report.build'?"),
        ("app.Report", "no method in allowed_jobs is called that"),
        ("mail", "no method in allowed_jobs is called that"),
        ("group-", "no group has such a name"),
        ("group-a/b", "no group has such a name"),
    ],
)
def test_what_cannot(config, name, told) -> None:
    """Of what there is not it is said what is meant, if anything is like it."""
    assert told in pause_problem(config(), name)


def test_words() -> None:
    """A group is called one, and a method by its name."""
    assert (in_words("group-mail"), in_words("app.A.b")) == ("group mail", "app.A.b")

"""The settings of a job's process, and their way across the process boundary."""

from __future__ import annotations

import marshal

import pytest

from spoolrunner.attempt.settings import Settings

PLAIN = {
    "root": "/spool",
    "boot": "b",
    "fsync": True,
    "max_log_bytes": 4096,
    "python_path": ["/a", "/ü"],
    "import_timeout": 60.0,
}


@pytest.mark.parametrize("changes", [{}, {"boot": "", "fsync": False, "python_path": [], "import_timeout": 0.5}])
def test_the_way_across(changes) -> None:
    """Settings come out on the other side as they went in, with values of the same types."""
    made = {**PLAIN, **changes}
    again = Settings.from_bytes(Settings(**made).to_bytes())
    found = {name: getattr(again, name) for name in made}
    assert found == made
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in made.items()}


def test_every_setting_goes_across() -> None:
    """There is no setting that stays behind."""
    assert set(Settings.__slots__) == set(PLAIN)


def test_a_setting_that_only_one_side_knows() -> None:
    """Settings of another version of the package are an error, not a process that runs jobs by half of them."""
    values = marshal.loads(Settings(**PLAIN).to_bytes())
    for others in ((*values, 1), values[:-1]):
        with pytest.raises(TypeError, match="argument"):
            Settings.from_bytes(marshal.dumps(others))

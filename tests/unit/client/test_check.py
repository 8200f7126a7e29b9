"""An installation is checked with the interpreter that its jobs would get."""

from __future__ import annotations

import pytest

from spoolrunner.client.check import check
from spoolrunner.client.settings import settings_in_force
from spoolrunner.errors import SpoolLayoutError


def test_check(home) -> None:
    """Each allowed method that cannot be found is a problem; what can be found is none."""
    home(allowed_jobs={"spoolrunner.demo_jobs.Text": ["count_words", "count_wrods"]})
    (problem,) = check(settings_in_force()).problems
    assert "count_wrods" in problem


def test_check_with_no_interpreter(home) -> None:
    """An interpreter that is not there is the one problem."""
    home(python_binary="no-such-python")
    (problem,) = check(settings_in_force()).problems
    assert "no-such-python cannot be used" in problem


def test_check_without_folders(home, tmp_path) -> None:
    """A spool without its folders is an error."""
    home(spool="elsewhere")
    with pytest.raises(SpoolLayoutError):
        check(settings_in_force())

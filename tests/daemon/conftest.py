from __future__ import annotations

import pytest

from tests.daemon.harness import Installation


@pytest.fixture
def make(tmp_path):
    """Make an installation with changes to its configuration."""
    made = []

    def installation(**changes):
        found = Installation(tmp_path, **changes)
        made.append(found)
        return found

    yield installation
    for found in made:
        found.close()


@pytest.fixture
def home(make):
    """An installation as it comes."""
    return make()

"""What the operator sets."""

from __future__ import annotations

import pytest

from spoolrunner.errors import JobFormatError
from spoolrunner.web.settings import parse_prefix


def test_a_prefix_is_a_path() -> None:
    """A slash at its end does not count; none is the root."""
    assert [parse_prefix(text) for text in ("", "/", "/jobs", "/a/b/")] == ["", "", "/jobs", "/a/b"]


@pytest.mark.parametrize("text", ["jobs", "/a b", "//x", "/<b>", "http://x"])
def test_what_is_no_prefix(text) -> None:
    """What is no path of an address is refused."""
    with pytest.raises(JobFormatError, match="--prefix"):
        parse_prefix(text)

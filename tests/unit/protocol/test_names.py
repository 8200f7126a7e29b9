"""What names may be."""

from __future__ import annotations

import pytest

from spoolrunner.protocol.names import is_group, is_id


@pytest.mark.parametrize("name", ["a", "A9", "customer.42", "a-b_c", "x" * 64])
def test_groups(name) -> None:
    """A group is named as a file can be."""
    assert is_group(name)


@pytest.mark.parametrize("name", ["", ".a", "-a", "a.", "a b", "a/b", "x" * 65, "a\n", "é", None, 5])
def test_what_is_no_group(name) -> None:
    """What could not end the name of a file on some system is none."""
    assert not is_group(name)


@pytest.mark.parametrize(("name", "is_one"), [("a", True), ("a~2", True), ("a~", False), ("a\n", False), (7, False)])
def test_ids(name, is_one) -> None:
    """An id may be followed by the number of a second job."""
    assert is_id(name) == is_one

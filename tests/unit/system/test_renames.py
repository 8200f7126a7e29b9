"""The calls of the system that rename with a condition."""

from __future__ import annotations

import sys

import pytest

from spoolrunner.system import renames

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such calls")


@pytest.fixture
def two(tmp_path) -> tuple[str, str]:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    return str(tmp_path / "a"), str(tmp_path / "b")


def content(path: str) -> str:
    with open(path, encoding="ascii") as stream:
        return stream.read()


def test_an_exchange(two) -> None:
    """Each of two files gets the name of the other."""
    renames.loaded(renames.EXCHANGE)(*two)
    assert [content(path) for path in two] == ["b", "a"]


def test_an_exchange_with_nothing(two, tmp_path) -> None:
    """Where one of the names is free nothing is moved, and that is the error."""
    for pair in ((two[0], str(tmp_path / "c")), (str(tmp_path / "c"), two[0])):
        with pytest.raises(FileNotFoundError):
            renames.loaded(renames.EXCHANGE)(*pair)
    assert [content(path) for path in two] == ["a", "b"]


def test_no_name_is_taken(two) -> None:
    """A target that exists is refused."""
    with pytest.raises(FileExistsError):
        renames.loaded(renames.NO_REPLACE)(*two)
    assert [content(path) for path in two] == ["a", "b"]

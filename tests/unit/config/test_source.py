"""What was read of a file: whether it holds something else by now."""

from __future__ import annotations

import os

import pytest

from spoolrunner.config.lookup import read_file
from spoolrunner.config.source import Source


@pytest.fixture
def path(tmp_path) -> str:
    made = tmp_path / "config.json"
    made.write_bytes(b"{}")
    return str(made)


def test_it_is_as_it_was(path) -> None:
    """A file that nobody touched is no other one."""
    assert Source(path, read_file(path)).still_holds() is True


def a_pipe(path) -> None:
    os.unlink(path)
    os.mkfifo(path)


NO_PIPES = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")


@pytest.mark.parametrize(
    ("touch", "expected"),
    [(lambda path: os.utime(path, (1, 1)), True), (os.unlink, None), pytest.param(a_pipe, None, marks=NO_PIPES)],
)
def test_what_is_no_change(path, touch, expected) -> None:
    """A file of another time and the same bytes is the same; one that is gone cannot be gone by."""
    source = Source(path, read_file(path))
    touch(path)
    assert source.still_holds() is expected
    assert source.still_holds() is expected


def test_other_bytes_of_the_same_size(path) -> None:
    """One that was put in its place is another, also of the same size; and it is the same again when its bytes are."""
    source = Source(path, read_file(path))
    for data, expected in ((b"[]", False), (b"{}", True)):
        with open(path + ".new", "wb") as stream:
            stream.write(data)
        os.replace(path + ".new", path)
        assert source.still_holds() is expected


def test_a_folder_in_its_place(path) -> None:
    """There is nothing to go by, so that is not known."""
    source = Source(path, read_file(path))
    os.unlink(path)
    os.mkdir(path)
    assert source.still_holds() is None

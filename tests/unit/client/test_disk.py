"""What fills the disk of a spool."""

from __future__ import annotations

import os

import pytest

from spoolrunner.client.disk import filling, room
from spoolrunner.protocol.states import State


def test_filling(spool, drop) -> None:
    """The largest folder comes first, with its largest file; empty ones are left out."""
    drop(State.DONE, "a", b"x" * 10_000)
    for name, size in (("small", 5_000), ("large", 400_000)):
        with open(spool.layout.log(name), "wb") as stream:
            stream.write(os.urandom(size))
    found = filling(spool.layout, 5.0)
    assert [part.folder for part in found[:2]] == ["logs/jobs", "done"]
    first = found[0]
    assert (first.largest, first.files, first.is_whole) == ("large.log", 2, True)
    assert first.size >= first.largest_size >= 400_000


def test_a_look_that_is_cut_short(spool, drop) -> None:
    """When the time is up the rest is not looked at, and that is said."""
    for number in range(300):
        drop(State.DONE, f"j{number}", b"x")
    (part,) = filling(spool.layout, -1.0)
    assert (part.folder, part.is_whole) == ("done", False)
    assert part.files < 300


def test_room(spool) -> None:
    """The file system has a size and room; a spool that is gone is an error."""
    assert room(spool.layout).size >= room(spool.layout).free > 0
    os.rename(spool.layout.root, spool.layout.root + "x")
    with pytest.raises(OSError, match="spool"):
        room(spool.layout)
    assert filling(spool.layout, 1.0) == []

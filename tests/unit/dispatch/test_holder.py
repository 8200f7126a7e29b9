"""Serving a spool: taking it, noticing that it was removed, giving it up."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from spoolrunner.dispatch.holder import Holder
from spoolrunner.errors import SpoolBusyError
from spoolrunner.spool import dispatcher_lock
from spoolrunner.system.machine import Machine

posix = pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed")
BOOT = "boot-1"


@pytest.fixture
def begin(spool, clock):
    """Make a holder, begun already; all end after the test."""
    made = []

    def new(boot: str = BOOT) -> Holder:
        holder = Holder(spool.layout, clock, Machine(), boot)
        made.append(holder)
        holder.begin()
        return holder

    yield new
    for holder in made:
        holder.end()


def test_one_at_a_time(begin, spool, clock) -> None:
    """While one serves the spool another is refused by an error that names the first, or told so when it stands by."""
    first = begin()
    assert first.holds
    second = Holder(spool.layout, clock, Machine(), BOOT)
    with pytest.raises(SpoolBusyError, match=f"pid {os.getpid()} "):
        second.begin()
    assert second.begin(standby=True) is False
    first.end()
    assert second.begin(standby=True) is True
    second.end()


@pytest.mark.parametrize(("boot", "follows"), [(BOOT, True), ("boot-2", False), ("", False)])
def test_following_in_the_same_boot(begin, boot, follows) -> None:
    """A successor knows whether a holder vouched for the markers since the machine was started."""
    first = begin()
    first.vouch()
    first.end()
    assert begin(boot).follows_in_this_boot is follows


def test_nobody_vouched(begin) -> None:
    """A holder that ended before it had looked at what lay in running/ does not count."""
    begin().end()
    assert begin().follows_in_this_boot is False


@posix
def test_a_spool_that_was_removed(begin, spool) -> None:
    """A spool that was removed is not held any more, and is not made again by trying to take it."""
    holder = begin()
    shutil.rmtree(spool.layout.root)
    assert not holder.holds
    with pytest.raises(FileNotFoundError):
        holder.begin_anew()
    assert not os.path.exists(spool.layout.root)


@posix
def test_a_spool_that_was_made_anew(begin, spool) -> None:
    """A spool that was removed and made anew is taken, and then held against others."""
    holder = begin()
    shutil.rmtree(spool.layout.root)
    spool.make()
    holder.begin_anew()
    assert holder.holds
    with pytest.raises(SpoolBusyError):
        begin()


@posix
def test_a_spool_that_another_serves_by_now(begin, spool) -> None:
    """A spool that was removed, made anew and taken by another stays that one's, whose word in it is not touched."""
    holder = begin()
    shutil.rmtree(spool.layout.root)
    spool.make()
    another = begin("boot-2")
    another.vouch()
    with pytest.raises(OSError, match="was removed"):
        holder.vouch()
    with pytest.raises(SpoolBusyError):
        holder.begin_anew()
    holder.end()
    assert another.holds
    assert dispatcher_lock.holder(spool.layout.dispatcher_lock)["boot"] == "boot-2"

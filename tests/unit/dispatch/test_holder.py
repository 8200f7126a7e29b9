"""Serving a spool: taking it, noticing that it was removed, giving it up."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from spoolrunner.dispatch.holder import Holder
from spoolrunner.errors import SpoolBusyError
from spoolrunner.spool import dispatcher_lock
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.paths import Layout
from spoolrunner.system.machine import Machine

MOUNT = "ext4-sda1-17"


class OneMount(Machine):
    """A machine whose file systems are mounted under that name."""

    def __init__(self, mount: str = MOUNT) -> None:
        self.mount = mount

    def mounting(self, path: str) -> str:
        return self.mount


posix = pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed")
BOOT = "boot-1"


@pytest.fixture
def begin(spool, clock):
    """Make a holder, begun already; all end after the test."""
    made = []

    def new(boot: str = BOOT, machine: Machine | None = None) -> Holder:
        holder = Holder(spool.layout, clock, machine or OneMount(), boot)
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


@pytest.mark.parametrize(
    ("boot", "mount", "follows"),
    [
        (BOOT, MOUNT, True),
        ("boot-2", MOUNT, False),
        ("", MOUNT, False),
        (BOOT, "ext4-sda1-18", False),
        (BOOT, "", False),
    ],
)
def test_following_on_the_same_mounting(begin, boot, mount, follows) -> None:
    """A successor trusts the markers if a holder vouched for them since the machine was started and the disk was mounted."""
    first = begin()
    first.vouch()
    first.end()
    second = begin(boot, OneMount(mount))
    assert (second.trust.has_markers, second.has_vouched) == (follows, follows)
    assert second.trust.keeps_inodes


@pytest.mark.parametrize(("boot", "mount"), [("", MOUNT), (BOOT, "")])
def test_what_has_no_name_is_not_vouched_for(begin, boot, mount) -> None:
    """Where the system names neither boots nor mountings, nobody trusts the markers of another."""
    first = begin(boot, OneMount(mount))
    first.vouch()
    first.end()
    assert begin(boot, OneMount(mount)).trust.has_markers is False


def test_nobody_vouched(begin) -> None:
    """A holder that ended before it had looked at what lay in running/ does not count."""
    begin().end()
    assert begin().trust.has_markers is False


@posix
def test_a_copied_spool(begin, spool, clock, tmp_path) -> None:
    """In a copy nobody vouches for anything, and inodes are not those that markers name."""
    first = begin()
    first.vouch()
    assert first.has_vouched
    copy = Spool(Layout(str(tmp_path / "copy")), fsync=False)
    shutil.copytree(spool.layout.root, copy.layout.root)
    second = Holder(copy.layout, clock, OneMount(), BOOT)
    assert second.begin() is True
    assert (second.trust.has_markers, second.trust.keeps_inodes) == (False, False)
    second.vouch()
    second.end()
    third = Holder(copy.layout, clock, OneMount(), BOOT)
    assert third.begin() is True
    assert (third.trust.has_markers, third.trust.keeps_inodes) == (True, True)
    third.end()


@pytest.mark.parametrize(("then", "now"), [(MOUNT, ""), ("", MOUNT), ("", "")])
def test_a_mounting_that_cannot_be_known(begin, then, now) -> None:
    """A name that could not be had, then or now, is no reason to let go of the spool."""
    machine = OneMount(then)
    holder = begin(BOOT, machine)
    machine.mount = now
    assert holder.holds
    holder.check()


def test_a_file_system_that_was_mounted_again(begin) -> None:
    """The same files on a file system that was mounted again are not what was taken: they are taken anew, and not trusted."""
    machine = OneMount()
    holder = begin(BOOT, machine)
    holder.vouch()
    machine.mount = "ext4-sda1-18"
    assert not holder.holds
    with pytest.raises(OSError, match="mounted again"):
        holder.vouch()
    holder.begin_anew()
    assert holder.holds
    assert (holder.trust.has_markers, holder.has_vouched) == (False, False)


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

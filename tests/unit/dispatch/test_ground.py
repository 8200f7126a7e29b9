"""The folders under a dispatcher: made again when they are missing, waited for when others lie there."""

from __future__ import annotations

import os
import shutil
import stat
import sys

import pytest

from spoolrunner.dispatch.ground import Ground
from spoolrunner.dispatch.holder import Holder
from spoolrunner.dispatch.phases import Phase
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.errors import SpoolLayoutError
from spoolrunner.executors.base import AttemptKey, Exited
from spoolrunner.protocol.states import State
from spoolrunner.spool.paths import FOLDERS
from spoolrunner.system import durable
from spoolrunner.system.machine import Machine
from spoolrunner.telling.events import Gone
from spoolrunner.telling.troubles import FolderMade

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a folder with an open file in it stays")


@pytest.fixture
def running() -> list:
    """What runs, as far as the ground is told."""
    return []


@pytest.fixture
def ground(spool, clock, events, running):
    holder = Holder(spool.layout, clock, Machine(), "boot")
    holder.begin()
    reporter = Reporter(clock, [lambda event, _: events.append(event)])
    made = Ground(spool.layout, holder, reporter, lambda: bool(running))
    made.take()
    yield made
    holder.end()


def path_of(spool, name: str) -> str:
    return os.path.join(spool.layout.root, name)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_was_removed(ground, spool, events, running, name) -> None:
    """It is named, and made again as it was, also while jobs run."""
    running.append("x")
    os.chmod(path_of(spool, name), 0o2770)
    ground.take()
    shutil.rmtree(path_of(spool, name))
    with pytest.raises(FileNotFoundError):
        ground.check_all()
    assert ground.can_be_mended
    assert ground.restore() is True
    ground.check_all()
    ground.check()
    assert FolderMade(path_of(spool, name)) in events
    assert stat.S_IMODE(os.stat(path_of(spool, name)).st_mode) == 0o2770


def test_no_spool_is_made(ground, spool) -> None:
    """Where the dispatcher.lock is not in place nothing is made: it may be unmounted."""
    shutil.rmtree(spool.layout.root)
    os.mkdir(spool.layout.root)
    assert not ground.can_be_mended
    with pytest.raises(OSError, match="pending"):
        ground.restore()
    assert os.listdir(spool.layout.root) == []


@pytest.mark.parametrize("name", ["done", "pending", "tmp"])
def test_a_folder_that_a_person_replaced(ground, spool, running, name) -> None:
    """Another folder in the place of one is noticed, and taken."""
    running.append("x")
    os.rename(path_of(spool, name), path_of(spool, "aside"))
    os.mkdir(path_of(spool, name))
    with pytest.raises(OSError, match="another folder"):
        ground.check_all()
    assert ground.restore() is True
    ground.check_all()


@pytest.mark.parametrize("name", ["locks", "running"])
def test_a_folder_by_which_attempts_are_known(ground, spool, running, name) -> None:
    """While attempts run no other is taken in its place: when the one before is back all goes on."""
    running.append("x")
    os.rename(path_of(spool, name), path_of(spool, "aside"))
    os.mkdir(path_of(spool, name))
    with pytest.raises(OSError, match="another folder lies there"):
        ground.check()
    with pytest.raises(OSError, match="when the one before is back"):
        ground.restore()
    os.rmdir(path_of(spool, name))
    os.rename(path_of(spool, "aside"), path_of(spool, name))
    ground.check()
    assert ground.restore() is True


def test_a_spool_that_was_moved(ground, spool, running) -> None:
    """What runs in it is waited for; without that, what lies at the path is taken."""
    running.append("x")
    os.rename(spool.layout.root, f"{spool.layout.root}.aside")
    shutil.copytree(f"{spool.layout.root}.aside", spool.layout.root)
    with pytest.raises(OSError, match="moved, covered"):
        ground.check()
    with pytest.raises(OSError, match="recorded there"):
        ground.restore()
    running.clear()
    assert ground.restore() is False
    ground.check_all()


def test_a_spool_that_was_removed(ground, spool, running) -> None:
    """What ran in it cannot be recorded anywhere: another spool at the path is taken."""
    running.append("x")
    shutil.rmtree(spool.layout.root)
    spool.make()
    assert ground.restore() is False
    ground.check_all()


def test_a_lock_file_that_was_removed(ground, spool, running) -> None:
    """With the dispatcher.lock alone removed it is the same spool, and what runs in it is still ours."""
    running.append("x")
    os.unlink(spool.layout.dispatcher_lock)
    with pytest.raises(OSError, match="removed"):
        ground.check()
    assert ground.restore() is True
    ground.check_all()


def test_folders_on_several_mounts(ground, monkeypatch) -> None:
    """At the start that is an error that ends the dispatcher, before a job has an effect."""

    def rename(source: str, target: str) -> None:
        raise OSError(18, "Invalid cross-device link", source, None, target)

    monkeypatch.setattr(durable, "rename", rename)
    with pytest.raises(SpoolLayoutError, match="another mount"):
        ground.take()


# -- a dispatcher on it


def finish(rooms, job_id: str = "x") -> None:
    rooms.running.exited(Exited(AttemptKey(job_id, 1), 0, left=False))


@pytest.mark.parametrize("name", FOLDERS)
def test_a_job_goes_where_it_belongs(service, rooms, begin, mark, leave, clock, events, name) -> None:
    """A folder that is removed while a job runs is made again, and the job gets there without a restart."""
    begin("x")
    mark("x")
    leave("x")
    if name in ("locks", "running"):  # then its lines, or its file, are gone with it
        os.rename(path_of(rooms.spool, name), path_of(rooms.spool, "aside"))
        os.mkdir(path_of(rooms.spool, name))
        for entry in os.listdir(path_of(rooms.spool, "aside")):
            os.rename(path_of(rooms.spool, f"aside/{entry}"), path_of(rooms.spool, f"{name}/{entry}"))
        rooms.ended.check_ground = lambda: None
        finish(rooms)
    else:
        shutil.rmtree(path_of(rooms.spool, name))
        finish(rooms)
    for _ in range(4):
        service.turn()
        clock.advance(1.0)
    assert rooms.spool.exists(State.DONE, "x")
    assert service.phase is Phase.SERVING
    service.ground.check_all()


def test_a_record_waits_for_its_spool(service, rooms, begin, mark, leave, clock, events, places) -> None:
    """While another spool lies at the path an attempt that has ended waits, as for a full disk; then it is recorded."""
    begin("x")
    mark("x")
    leave("x")
    root = rooms.spool.layout.root
    os.rename(root, f"{root}.aside")
    rooms.spool.make()
    finish(rooms)
    for _ in range(5):
        service.turn()
        clock.advance(1.0)
    assert service.phase is Phase.BLOCKED
    assert (places().done, places().running, os.listdir(rooms.spool.layout.locks)) == ([], [], [])
    assert len(rooms.running) == 1
    shutil.rmtree(root)
    os.rename(f"{root}.aside", root)
    service.turn()
    service.turn()
    assert (service.phase, places().done) == (Phase.SERVING, ["x"])
    assert not [event for event in events if isinstance(event, Gone)]


def test_what_ran_in_a_spool_that_was_removed(service, rooms, begin, clock, events, places) -> None:
    """It is forgotten, and that is reported; nothing of it comes into the spool that was made anew."""
    begin("x")
    shutil.rmtree(rooms.spool.layout.root)
    rooms.spool.make()
    finish(rooms)
    for _ in range(3):
        service.turn()
        clock.advance(1.0)
    assert [event.id for event in events if isinstance(event, Gone)] == ["x"]
    assert (service.phase, len(rooms.running), places().done, places().pending) == (Phase.SERVING, 0, [], [])

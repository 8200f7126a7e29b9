"""The folder control/: what people ask for by making files, by hand or by command."""

from __future__ import annotations

import os

import pytest

from spoolrunner.spool import requests
from spoolrunner.spool.requests import LEAVE_RUNNING, Requests


def touch(spool, name: str, text: str = "") -> None:
    with open(os.path.join(spool.layout.control, name), "w", encoding="ascii") as stream:
        stream.write(text)


def test_nothing(spool) -> None:
    """An empty folder asks for nothing."""
    assert requests.read(spool.layout) == Requests(False, None, [])


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("pause", "", Requests(True, None, [])),
        ("reload", "", Requests(False, None, [], reload=True)),
        ("pause", "anything", Requests(True, None, [])),
        ("stop", "", Requests(False, "", [])),
        ("stop", "\n", Requests(False, "", [])),
        ("stop", "please", Requests(False, "", [])),
        ("stop", "leave-running", Requests(False, LEAVE_RUNNING, [])),
        ("stop", "leave-running\n", Requests(False, LEAVE_RUNNING, [])),
        ("cancel-x", "", Requests(False, None, ["x"])),
        ("cancel-cancel-x", "", Requests(False, None, ["cancel-x"])),
        ("cancel-", "", Requests(False, None, [])),
        ("cancel", "", Requests(False, None, [])),
        ("paused", "", Requests(False, None, [])),
        (".pause.swp", "", Requests(False, None, [])),
        ("pause-", "", Requests(False, None, [])),
        ("pause-app.A.b", "x", Requests(False, None, [], frozenset({"app.A.b"}))),
        ("pause-group-mail", "", Requests(False, None, [], frozenset({"group-mail"}))),
        ("Stop", "", Requests(False, None, [])),
    ],
)
def test_read(spool, name, text, expected) -> None:
    """A file made by hand asks for what its name says, and a name that means nothing is left alone."""
    touch(spool, name, text)
    assert requests.read(spool.layout) == expected
    assert os.listdir(spool.layout.control) == [name]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_stop_that_powershell_wrote(spool, encoding) -> None:
    """What a stop says is understood in the encodings in which `>` of PowerShell writes."""
    with open(spool.layout.stop, "w", encoding=encoding) as stream:
        stream.write("leave-running\r\n")
    assert requests.read(spool.layout).stop == LEAVE_RUNNING


def test_read_of_several(spool) -> None:
    """All requests are read at once, the cancels in order."""
    for name in ("pause", "stop", *(f"cancel-{job_id}" for job_id in "hcafgbed")):
        touch(spool, name)
    assert requests.read(spool.layout) == Requests(True, "", list("abcdefgh"))


def test_a_stop_that_is_taken_back(spool, monkeypatch) -> None:
    """A stop that a person takes back while it is read asks for nothing."""
    touch(spool, "stop")
    real = os.scandir

    def race(path):
        entries = list(real(path))
        os.unlink(spool.layout.stop)
        return _Closing(entries)

    monkeypatch.setattr(os, "scandir", race)
    assert requests.read(spool.layout).stop is None


class _Closing(list):
    def __enter__(self):
        return iter(self)

    def __exit__(self, *error) -> None: ...


@pytest.mark.parametrize(("leave_running", "stop"), [(True, LEAVE_RUNNING), (False, "")])
def test_request_stop(spool, leave_running, stop) -> None:
    """The command asks for what a file made by hand asks for, and clearing it tells whether it was there."""
    requests.request_stop(spool.layout, leave_running)
    assert requests.read(spool.layout) == Requests(False, stop, [])
    assert requests.clear_stop(spool.layout) is True
    assert requests.clear_stop(spool.layout) is False
    assert requests.read(spool.layout) == Requests(False, None, [])


def test_asking_twice_to_stop(spool) -> None:
    """Asked twice, a stop is still a stop."""
    requests.request_stop(spool.layout, leave_running=False)
    requests.request_stop(spool.layout, leave_running=False)
    assert requests.read(spool.layout).stop == ""


def test_asking_twice_to_leave_running(spool) -> None:
    """Asked twice to stop and leave the jobs running, the dispatcher leaves them running."""
    requests.request_stop(spool.layout, leave_running=True)
    requests.request_stop(spool.layout, leave_running=True)
    assert requests.read(spool.layout).stop == LEAVE_RUNNING


def test_request_cancel(spool) -> None:
    """A job is asked to be cancelled by an empty file of its name; asking twice is asking once."""
    requests.request_cancel(spool.layout, "x")
    requests.request_cancel(spool.layout, "x")
    assert requests.read(spool.layout).cancels == ["x"]
    assert os.path.getsize(spool.layout.cancel("x")) == 0


def test_pause_and_resume(spool) -> None:
    """A pause lasts until it is taken back, which tells whether there was one."""
    requests.pause(spool.layout)
    requests.pause(spool.layout)
    assert requests.read(spool.layout).pause is True
    assert requests.resume(spool.layout) is True
    assert requests.resume(spool.layout) is False
    assert requests.read(spool.layout).pause is False


def test_asking_to_stop_after_leaving(spool) -> None:
    """The last word counts: one who asks for a plain stop gets it, also where somebody asked to leave the jobs running."""
    requests.request_stop(spool.layout, leave_running=True)
    requests.request_stop(spool.layout, leave_running=False)
    assert requests.read(spool.layout).stop == ""


ASKING = {
    "pause": requests.pause,
    "stop": lambda layout: requests.request_stop(layout, leave_running=True),
    "cancel-x": lambda layout: requests.request_cancel(layout, "x"),
}


@pytest.mark.parametrize("name", ASKING)
def test_nothing_is_written_through_a_link(spool, tmp_path, name) -> None:
    """A link in control/ leads no request elsewhere, and is a request by its name as any other file."""
    for target in ("precious", "nothing-there"):
        link = os.path.join(spool.layout.control, name)
        (tmp_path / "precious").write_text("kept")
        os.symlink(tmp_path / target, link)
        assert requests.read(spool.layout) != Requests(False, None, [])
        ASKING[name](spool.layout)
        assert requests.read(spool.layout) != Requests(False, None, [])
        assert (tmp_path / "precious").read_text() == "kept"
        assert not (tmp_path / "nothing-there").exists()
        os.unlink(link)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
@pytest.mark.parametrize("name", ASKING)
def test_a_pipe_is_not_waited_for(spool, name) -> None:
    """A pipe in control/ asks for what its name says; neither who reads it nor who asks too waits for its other end."""
    os.mkfifo(os.path.join(spool.layout.control, name))
    assert requests.read(spool.layout) != Requests(False, None, [])
    ASKING[name](spool.layout)
    assert requests.read(spool.layout) != Requests(False, None, [])


@pytest.mark.parametrize("name", ASKING)
def test_a_folder_of_that_name_is_in_the_way(spool, name) -> None:
    """A folder asks for nothing, so who asks is told that it could not be done."""
    os.mkdir(os.path.join(spool.layout.control, name))
    with pytest.raises(OSError, match=name):
        ASKING[name](spool.layout)


def test_folders_ask_for_nothing(spool) -> None:
    """A folder is neither a pause nor a cancel for anybody who looks, is not removed, and is named."""
    for name in ("pause", "stop", "cancel-x", "other"):
        os.makedirs(os.path.join(spool.layout.control, name, "child"))
    assert requests.read(spool.layout) == Requests(False, None, [])
    assert not requests.is_paused(spool.layout)
    assert not requests.is_cancel_asked(spool.layout, "x")
    assert requests.resume(spool.layout) is False
    assert requests.clear_stop(spool.layout) is False
    requests.drop_cancel(spool.layout, "x")
    assert requests.clutter(spool.layout) == ["cancel-x", "pause", "stop"]
    with pytest.raises(FileExistsError, match="a folder, which asks for nothing, is in the way; remove it"):
        requests.request_cancel(spool.layout, "x")


def test_a_request_that_cannot_be_removed(spool, monkeypatch) -> None:
    """The error is passed on: it is the one of a file."""
    requests.request_cancel(spool.layout, "x")

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(PermissionError):
        requests.drop_cancel(spool.layout, "x")


def test_a_stop_that_may_not_be_read(spool, monkeypatch) -> None:
    """The name alone asks for a stop, so one whose text its maker keeps from us is a plain stop, not an error of the disk."""
    touch(spool, "stop", LEAVE_RUNNING)

    def refuse(path: str, limit: int) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(requests, "read_plain", refuse)
    assert requests.read(spool.layout).stop == ""


def test_the_pause_of_a_schedule(spool) -> None:
    """A schedule is paused by a file of its name, and by no other; a folder asks for nothing."""
    assert not requests.is_schedule_paused(spool.layout, "a")
    requests.pause_schedule(spool.layout, "a")
    requests.pause_schedule(spool.layout, "a")
    assert os.listdir(spool.layout.control) == ["pause-schedule-a"]
    assert requests.is_schedule_paused(spool.layout, "a")
    assert not requests.is_schedule_paused(spool.layout, "b")
    assert requests.read(spool.layout) == Requests(False, None, [], frozenset({"schedule-a"}))
    assert requests.resume_schedule(spool.layout, "a")
    assert not requests.resume_schedule(spool.layout, "a")
    os.mkdir(spool.layout.pause_schedule("a"))
    assert not requests.is_schedule_paused(spool.layout, "a")
    with pytest.raises(FileExistsError):
        requests.pause_schedule(spool.layout, "a")

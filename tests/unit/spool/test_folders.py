"""The folders: every row of the transition table, nothing overwritten, and races that are lost like gentlemen."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import sys
import threading
import time

import orjson
import pytest

from spoolrunner.errors import DuplicateJobError, JobFormatError, SpoolLayoutError
from spoolrunner.protocol import jsontext, states
from spoolrunner.protocol.states import TRANSITIONS, Event, Outcome, State
from spoolrunner.spool import editing, record
from spoolrunner.spool.folders import LEFTOVER_AGE, NotRegularError, Spool, lay
from spoolrunner.spool.paths import FOLDERS, REHEARSAL, Layout
from spoolrunner.system import durable

NOW = 1_800_000_000.0
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX file types and permissions")
MOVES = [row for row in TRANSITIONS if row.source is not None and row.source is not row.target]
ILLEGAL = [
    (state, event) for state in State for event in Event if not any(r[:2] == (state, event) for r in TRANSITIONS)
]


def content(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def reason(spool, name: str) -> dict:
    return orjson.loads(content(spool.layout.reason(name)))


def files(spool) -> set[str]:
    """Every file in the state folders, as state/name."""
    return {f"{state}/{name}" for state in State for name in os.listdir(spool.layout.folder(state))}


@posix
def test_make(tmp_path) -> None:
    """All folders are made for their owner alone, whatever the umask; making them again does no harm."""
    spool = Spool(Layout(str(tmp_path / "spool")))
    before = os.umask(0)
    try:
        spool.make()
    finally:
        os.umask(before)
    spool.make()
    spool.check()
    for folder in ("", *FOLDERS):
        assert stat.S_IMODE(os.stat(tmp_path / "spool" / folder).st_mode) == 0o700


def test_make_where_a_file_is(tmp_path) -> None:
    """A file in the place of a folder is an error that names it."""
    (tmp_path / "spool").write_text("")
    with pytest.raises(SpoolLayoutError, match="cannot make the folder"):
        Spool(Layout(str(tmp_path / "spool"))).make()


@pytest.mark.parametrize("name", FOLDERS)
def test_a_missing_folder_is_made_where_a_dispatcher_has_served(spool, name) -> None:
    """Only the lock of a dispatcher shows that this is the spool, and not the mount point of its disk."""
    path = os.path.join(spool.layout.root, name)
    shutil.rmtree(path)
    spool.make_missing(os.path.dirname(spool.layout.root))
    assert not os.path.exists(path)
    with open(spool.layout.dispatcher_lock, "wb"):
        pass
    spool.make_missing(os.path.dirname(spool.layout.root))
    spool.check()


def test_a_spool_beside_its_configuration_is_made(tmp_path) -> None:
    """Where nothing lies at its path, and its folder is that of config.json; elsewhere its disk may not be mounted."""
    (tmp_path / "mounted").mkdir()
    for root in (tmp_path / "mounted" / "spool", tmp_path / "no disk" / "spool"):
        Spool(Layout(str(root))).make_missing(str(tmp_path))
        assert not root.exists()
    spool = Spool(Layout(str(tmp_path / "spool")))
    spool.make_missing(str(tmp_path))
    spool.check()


@pytest.mark.parametrize("name", FOLDERS)
def test_check_of_a_missing_folder(spool, name) -> None:
    """A folder that is missing is an error that says which, and how to make it."""
    path = os.path.join(spool.layout.root, name)
    os.rename(path, path + "-away")
    with pytest.raises(SpoolLayoutError, match=rf"{os.path.basename(name)}: the folder is missing.*spoolrunner init"):
        spool.check()


@posix
def test_check_of_a_link(spool) -> None:
    """A link in the place of a folder is refused, even one that leads to a folder."""
    path = spool.layout.folder(State.DONE)
    os.rename(path, path + "-away")
    os.symlink(path + "-away", path)
    with pytest.raises(SpoolLayoutError, match="not a link"):
        spool.check()


def test_check_of_another_file_system(spool, monkeypatch) -> None:
    """A folder on another file system is refused, since nothing could be renamed into it."""
    real, odd = os.stat, spool.layout.folder(State.FAILED)

    def elsewhere(path, **options):
        found = real(path, **options)
        fields = list(found)
        fields[2] += path == odd
        return os.stat_result(fields)

    monkeypatch.setattr(os, "stat", elsewhere)
    with pytest.raises(SpoolLayoutError, match="another file system"):
        spool.check()


def test_names(spool) -> None:
    """Only names that are meant as jobs are listed; the others are left alone."""
    for name in ("a.json", "b c.json", ".hidden.json", "notes.txt", "x.json.swp", ".json"):
        with open(os.path.join(spool.layout.pending, name), "w", encoding="ascii"):
            pass
    assert set(spool.names(State.PENDING)) == {"a", "b c"}
    assert list(spool.names(State.DONE)) == []


def test_publish(spool) -> None:
    """A published job lies whole in pending/, and nothing is left in tmp/."""
    spool.publish("x", b"{}")
    assert content(spool.layout.job(State.PENDING, "x")) == b"{}"
    assert files(spool) == {"pending/x.json"}
    assert os.listdir(spool.layout.tmp) == []


def test_publish_of_a_taken_id(spool) -> None:
    """An id that waits already is a DuplicateJobError, and the job that waits is as it was."""
    spool.publish("x", b"first")
    with pytest.raises(DuplicateJobError, match="'x' is taken"):
        spool.publish("x", b"second")
    assert content(spool.layout.job(State.PENDING, "x")) == b"first"
    assert os.listdir(spool.layout.tmp) == []


@pytest.mark.parametrize("state", [State.RUNNING, State.DONE, State.FAILED])
def test_publish_beside_another_state(spool, drop, state) -> None:
    """An id that runs or ran may be published again."""
    drop(state, "x")
    spool.publish("x", b"{}")
    assert files(spool) == {"pending/x.json", f"{state}/x.json"}


@pytest.fixture
def syncs(monkeypatch) -> list[bool]:
    """For each fsync whether it was that of a folder."""
    seen: list[bool] = []
    real = os.fsync

    def sync(descriptor: int) -> None:
        seen.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    return seen


@posix
def test_publish_many(spool, syncs) -> None:
    """A small batch is synced file by file, and its folder once, after the last."""
    Spool(spool.layout, fsync=True).publish_many({"a": b"1", "b": b"2", "c": b"3"})
    assert files(spool) == {"pending/a.json", "pending/b.json", "pending/c.json"}
    assert syncs == [False, False, False, True]


@posix
def test_publish_many_up_to_a_taken_id(spool, syncs, drop) -> None:
    """Of a batch with a taken id those before it are published, for good, and none after it."""
    drop(State.PENDING, "b", b"first")
    with pytest.raises(DuplicateJobError) as caught:
        Spool(spool.layout, fsync=True).publish_many({"a": b"1", "b": b"2", "c": b"3"})
    assert caught.value.job_id == "b"
    assert files(spool) == {"pending/a.json", "pending/b.json"}
    assert content(spool.layout.job(State.PENDING, "b")) == b"first"
    assert syncs[-1] is True
    assert os.listdir(spool.layout.tmp) == []


@pytest.mark.skipif(sys.platform != "linux", reason="syncfs is a call of Linux")
def test_a_large_batch_is_synced_at_once(spool, syncs, monkeypatch) -> None:
    """Of a large batch nothing appears before the whole file system was synced, and then its folder is synced once."""
    real, seen = durable._sync_file_system(), []

    def sync(descriptor: int) -> None:
        seen.append((len(os.listdir(spool.layout.tmp)), len(files(spool)), list(syncs)))
        real(descriptor)

    monkeypatch.setattr(durable, "_sync_file_system", lambda: sync)
    batch = {f"x{number}": b"{}" for number in range(durable.MANY)}
    Spool(spool.layout, fsync=True).publish_many(batch)
    assert seen == [(durable.MANY, 0, [])]
    assert syncs == [True]
    assert len(files(spool)) == durable.MANY
    assert os.listdir(spool.layout.tmp) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux syncs a batch at once")
def test_a_large_batch_that_cannot_be_synced(spool, monkeypatch) -> None:
    """Of a batch that the disk refused nothing is published, and nothing is left in tmp/."""

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durable, "_sync_file_system", lambda: fail)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        Spool(spool.layout, fsync=True).publish_many({f"x{number}": b"" for number in range(durable.MANY)})
    assert files(spool) == set()
    assert os.listdir(spool.layout.tmp) == []


def test_an_empty_batch(spool, syncs) -> None:
    """Nothing is published of an empty batch."""
    Spool(spool.layout, fsync=True).publish_many({})
    assert files(spool) == set()
    assert syncs == []


def test_without_fsync_nothing_is_synced(spool, syncs) -> None:
    """With fsync off neither files nor folders are synced."""
    spool.publish("a", b"")
    spool.publish_many({"b": b""})
    spool.explain("x", Outcome.REJECTED, "what", "where", NOW)
    assert syncs == []


def test_read(spool, drop) -> None:
    """A file is read with what tells whether it changed since, and its signature from outside is the same."""
    path = drop(State.PENDING, "x", b"data", age=10)
    found = spool.read(State.PENDING, "x")
    status = os.stat(path)
    assert found == (b"data", status.st_ino, 4, status.st_mtime_ns, status.st_ctime_ns / 1e9)
    assert found.mtime == status.st_mtime_ns / 1e9
    assert spool.stamp(State.PENDING, "x") == found.stamp == found[1:4]


def test_read_of_nothing(spool) -> None:
    """A file that is gone is a FileNotFoundError, and its signature is None."""
    with pytest.raises(FileNotFoundError):
        spool.read(State.PENDING, "x")
    assert spool.stamp(State.PENDING, "x") is None


@pytest.mark.parametrize("change", ["append", "replace", "touch"])
def test_signature_changes(spool, drop, change) -> None:
    """The signature is another one when the file was written, replaced or touched."""
    path = drop(State.PENDING, "x", b"data", age=10)
    before = spool.stamp(State.PENDING, "x")
    if change == "append":
        with open(path, "ab") as stream:
            stream.write(b"!")
    elif change == "replace":
        drop(State.PENDING, "y", b"data", age=10)
        os.replace(spool.layout.job(State.PENDING, "y"), path)
    else:
        os.utime(path)
    assert spool.stamp(State.PENDING, "x") != before


def make_pipe(path) -> None:
    os.mkfifo(path)  # a name that Windows has not got, so it is looked up when it is called


def make_socket(path: str) -> None:
    here = os.getcwd()
    os.chdir(os.path.dirname(path))  # the path of a socket has at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.basename(path))
    finally:
        os.chdir(here)


@posix
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkdir, "a folder"),
        (lambda path: os.symlink("/etc/passwd", path), "a symbolic link"),
        (lambda path: os.symlink("nowhere", path), "a symbolic link"),
        (make_pipe, "a pipe"),
        (make_socket, "a socket"),
    ],
)
def test_read_of_what_is_no_file(spool, make, kind) -> None:
    """What is no regular file is neither followed nor waited for: it is said what it is."""
    make(spool.layout.job(State.PENDING, "x"))
    with pytest.raises(NotRegularError, match=f"{kind}, not a file"):
        spool.read(State.PENDING, "x")


def test_read_of_too_much(spool) -> None:
    """A file beyond the limit is refused by its size, without being read."""
    with open(spool.layout.job(State.PENDING, "x"), "wb") as stream:
        stream.truncate(jsontext.MAX_BYTES + 1)
    with pytest.raises(JobFormatError, match="8388609 bytes"):
        spool.read(State.PENDING, "x")


def test_claim(spool, drop) -> None:
    """A claim moves the very file under its name."""
    inode = os.stat(drop(State.PENDING, "x")).st_ino
    assert spool.claim("x") is True
    assert files(spool) == {"running/x.json"}
    assert os.stat(spool.layout.job(State.RUNNING, "x")).st_ino == inode


def test_claim_of_a_job_that_is_gone(spool) -> None:
    """A file that a person took away is not claimed."""
    assert spool.claim("x") is False


def test_claim_of_an_id_that_runs(spool, drop) -> None:
    """A second file of an id that runs is not claimed, and waits."""
    drop(State.PENDING, "x", b"second")
    drop(State.RUNNING, "x", b"first")
    assert spool.claim("x") is False
    assert content(spool.layout.job(State.RUNNING, "x")) == b"first"
    assert files(spool) == {"pending/x.json", "running/x.json"}


@pytest.mark.parametrize("row", MOVES, ids=lambda row: f"{row.source} {row.event}")
def test_move(spool, drop, row) -> None:
    """Along a transition the very file moves, and keeps its name."""
    inode = os.stat(drop(row.source, "x", b"data")).st_ino
    assert spool.move("x", row.source, row.event) == "x"
    assert files(spool) == {f"{row.target}/x.json"}
    assert os.stat(spool.layout.job(row.target, "x")).st_ino == inode


@pytest.mark.parametrize(("source", "event"), ILLEGAL)
def test_move_that_is_no_transition(spool, drop, source, event) -> None:
    """A move that is not in the table cannot be made."""
    drop(source, "x")
    with pytest.raises(ValueError, match="no transition"):
        spool.move("x", source, event)
    assert files(spool) == {f"{source}/x.json"}


DOORS = {
    Event.PUBLISH: lambda spool: spool.publish("new", b"{}"),
    Event.CLAIM: lambda spool: spool.claim("pending"),
    Event.REFUSE: lambda spool: spool.refuse("pending", State.PENDING, Outcome.REJECTED, "", "", NOW),
    Event.UNREADABLE: lambda spool: spool.refuse("running", State.RUNNING, Outcome.REJECTED, "", "", NOW),
    Event.OUTCOME: lambda spool: record.commit(spool.layout, "running", b"{}", fsync=False),
    Event.RELEASE: lambda spool: spool.move("running", State.RUNNING, Event.RELEASE),
    Event.VERDICT_DONE: lambda spool: spool.move("running", State.RUNNING, Event.VERDICT_DONE),
    Event.VERDICT_RETRY: lambda spool: spool.move("running", State.RUNNING, Event.VERDICT_RETRY),
    Event.VERDICT_FAILED: lambda spool: spool.move("running", State.RUNNING, Event.VERDICT_FAILED),
    Event.HAND_RETRY: lambda spool: spool.put_back("failed", State.FAILED),
    Event.MEND: lambda spool: spool.mend("failed", b"{}"),
    Event.EDIT: lambda spool: editing.exchange(spool, "pending", spool.read(State.PENDING, "pending"), b"{}"),
}


@pytest.mark.parametrize("event", Event)
def test_every_door_asks_the_table(spool, drop, monkeypatch, event) -> None:
    """Without its row in the table no operation renames, replaces or writes anything."""
    for state in State:
        drop(state, state.value, b"as it was")
    before = files(spool)
    monkeypatch.setattr(states, "_ROWS", {key: row for key, row in states._ROWS.items() if row.event is not event})
    with pytest.raises(ValueError, match="no transition"):
        DOORS[event](spool)
    assert files(spool) == before
    assert {content(spool.layout.job(state, state.value)) for state in State} == {b"as it was"}
    assert os.listdir(spool.layout.tmp) == []


def test_a_batch_asks_the_table(spool, monkeypatch) -> None:
    """A batch is published, and recorded, by the same row of the table as a single job."""
    monkeypatch.setattr(states, "_ROWS", {})
    with pytest.raises(ValueError, match="no transition"):
        spool.publish_many({"x": b"{}"})
    with pytest.raises(ValueError, match="no transition"):
        record.commit_many(spool.layout, {"x": b"{}"}, fsync=False)
    assert files(spool) == set()


def test_lay(spool, drop) -> None:
    """A staged file gets the id, or the next one that is free, and takes no other's place."""
    drop(State.PENDING, "x", b"1")
    drop(State.PENDING, "x~2", b"2")
    for job_id, name in (("x", "x~3"), ("y", "y")):
        staged = spool.layout.stage()
        with open(staged, "wb") as stream:
            stream.write(b"3")
        lay(spool.layout, staged, State.PENDING, job_id)
        assert not os.path.exists(staged)
        assert spool.read(State.PENDING, name).data == b"3"
    assert [spool.read(State.PENDING, name).data for name in ("x", "x~2")] == [b"1", b"2"]


def test_put_back(spool, drop) -> None:
    """A job that is put back is the very file; one that is gone is not put back."""
    inode = os.stat(drop(State.FAILED, "x")).st_ino
    assert spool.put_back("x", State.FAILED) is True
    assert os.stat(spool.layout.job(State.PENDING, "x")).st_ino == inode
    assert spool.put_back("x", State.FAILED) is False


def test_mend(spool, drop) -> None:
    """A job in failed/ is replaced whole, in its place."""
    drop(State.FAILED, "x", b"before")
    spool.mend("x", b"after")
    assert content(spool.layout.job(State.FAILED, "x")) == b"after"
    assert (files(spool), os.listdir(spool.layout.tmp)) == ({"failed/x.json"}, [])


def test_move_to_a_taken_name(spool, drop) -> None:
    """If the name is taken the job moves in as ID~2, then ID~3, and nothing is overwritten."""
    for expected in ("x", "x~2", "x~3"):
        drop(State.RUNNING, "x", expected.encode())
        assert spool.move("x", State.RUNNING, Event.VERDICT_DONE) == expected
    assert files(spool) == {"done/x.json", "done/x~2.json", "done/x~3.json"}
    assert [content(spool.layout.job(State.DONE, name)) for name in ("x", "x~2", "x~3")] == [b"x", b"x~2", b"x~3"]


def test_move_of_nothing(spool) -> None:
    """A file that a person took away moves nowhere."""
    assert spool.move("x", State.RUNNING, Event.VERDICT_DONE) is None


@pytest.mark.parametrize("source", [State.PENDING, State.RUNNING])
def test_refuse(spool, drop, source) -> None:
    """A refused file lies in failed/ with its bytes as they were, and the reason beside it."""
    drop(source, "x", b"\xff\0 not JSON")
    assert spool.refuse("x", source, Outcome.REJECTED, "not JSON", f"{source}/x.json", NOW) == "x"
    assert files(spool) == {"failed/x.json", "failed/x.reason"}
    assert content(spool.layout.job(State.FAILED, "x")) == b"\xff\0 not JSON"
    assert reason(spool, "x") == {
        "outcome": "rejected",
        "what": "not JSON",
        "where": f"{source}/x.json",
        "when": "2027-01-15T08:00:00.000000Z",
    }


def test_refuse_writes_the_reason_first(spool, drop, monkeypatch) -> None:
    """When the file moves to failed/ its reason is there already."""
    drop(State.PENDING, "x")
    real, seen = durable.rename, []

    def rename(source: str, target: str) -> None:
        seen.append(os.path.exists(spool.layout.reason("x")))
        real(source, target)

    monkeypatch.setattr(durable, "rename", rename)
    spool.refuse("x", State.PENDING, Outcome.REJECTED, "", "", NOW)
    assert seen == [True]


def test_refuse_to_a_taken_name(spool, drop) -> None:
    """A second refused file of an id gets a name and a reason of its own."""
    for what in ("first", "second"):
        drop(State.PENDING, "x", what.encode())
        spool.refuse("x", State.PENDING, Outcome.REJECTED, what, "", NOW)
    assert files(spool) == {"failed/x.json", "failed/x.reason", "failed/x~2.json", "failed/x~2.reason"}
    assert content(spool.layout.job(State.FAILED, "x")) == b"first"
    assert (reason(spool, "x")["what"], reason(spool, "x~2")["what"]) == ("first", "second")


def test_refuse_of_a_file_that_is_gone(spool) -> None:
    """When a person took the file away no reason stays behind."""
    assert spool.refuse("x", State.PENDING, Outcome.REJECTED, "", "", NOW) is None
    assert files(spool) == set()


def test_refuse_while_a_person_moves_one_in(spool, drop, monkeypatch) -> None:
    """When a person moves a file of that name into failed/ in between, both stay, and the reason follows ours."""
    drop(State.PENDING, "x", b"ours")
    real, raced = durable.rename, []

    def rename(source: str, target: str) -> None:
        if not raced:
            raced.append(drop(State.FAILED, "x", b"theirs"))
        real(source, target)

    monkeypatch.setattr(durable, "rename", rename)
    assert spool.refuse("x", State.PENDING, Outcome.REJECTED, "", "", NOW) == "x~2"
    assert files(spool) == {"failed/x.json", "failed/x~2.json", "failed/x~2.reason"}
    assert content(spool.layout.job(State.FAILED, "x")) == b"theirs"


@posix
@pytest.mark.parametrize(
    "raw", [b"bad name", b"-x", b"caf\xe9", b"x" * 250, b"a\nb", b"con", b"a~2~b", bytes(range(128, 250))]
)
def test_refuse_of_any_name(spool, raw) -> None:
    """A file of any name that a folder can hold is refused under its own name, with its reason."""
    name = os.fsdecode(raw)
    for _ in range(2):
        with open(spool.layout.job(State.PENDING, name), "wb") as stream:
            stream.write(b"data")
        assert list(spool.names(State.PENDING)) == [name]
        where = f"pending/{name}.json"
        assert spool.refuse(name, State.PENDING, Outcome.REJECTED, "unfit", where, NOW) is not None
    assert len([name for name in os.listdir(spool.layout.folder(State.FAILED)) if name.endswith(".json")]) == 2
    assert len([name for name in os.listdir(spool.layout.folder(State.FAILED)) if name.endswith(".reason")]) == 2
    assert os.path.exists(spool.layout.job(State.FAILED, name))
    assert os.listdir(spool.layout.pending) == []


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome.CANCELLED,
        Outcome.REJECTED,
        Outcome.EXPIRED,
    ],
)
def test_refuse_takes_the_cancel_with_it(spool, drop, outcome) -> None:
    """A request to cancel is removed before the final move, so that it can never hit a later job of that id."""
    drop(State.PENDING, "x")
    with open(spool.layout.cancel("x"), "w", encoding="ascii"):
        pass
    spool.refuse("x", State.PENDING, outcome, "", "", NOW)
    assert not os.path.exists(spool.layout.cancel("x"))


def test_can_write(spool, monkeypatch) -> None:
    """A spool that can be written has no error; one whose disk refuses has that error, and no leftover."""
    assert spool.can_write() is None

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    error = spool.can_write()
    assert error is not None
    assert error.errno == 28
    assert os.listdir(spool.layout.tmp) == []


@pytest.mark.usefixtures("arrived_as_written")
def test_sweep_tmp(spool) -> None:
    """Files in tmp/ go when they have not changed for a day; younger ones and folders stay."""
    for name, age in (("old", LEFTOVER_AGE + 1), ("young", LEFTOVER_AGE - 1), ("ahead", -50.0)):
        path = os.path.join(spool.layout.tmp, name)
        with open(path, "w", encoding="ascii"):
            pass
        os.utime(path, (NOW - age, NOW - age))
    folder = os.path.join(spool.layout.tmp, "folder")
    os.mkdir(folder)
    os.utime(folder, (0, 0))
    assert spool.sweep_tmp(NOW) == 1
    assert set(os.listdir(spool.layout.tmp)) == {"young", "ahead", "folder"}


def test_a_staged_file_is_not_swept_for_its_mtime(spool) -> None:
    """A producer that copies the times of an old file, as `cp -p` does, does not lose what he has just staged."""
    path = os.path.join(spool.layout.tmp, "staged")
    for mtime in (0.0, time.time() + 1e8):
        with open(path, "w", encoding="ascii"):
            pass
        os.utime(path, (mtime, mtime))
        assert spool.sweep_tmp(time.time()) == 0
        assert spool.sweep_tmp(time.time() + LEFTOVER_AGE + 60) == 1


def test_what_a_rehearsal_left_is_swept(spool) -> None:
    """The folder of a template that was killed in a rehearsal goes with its files; a link of such a name leads nowhere."""
    outside = os.path.join(spool.layout.root, "outside")
    for folder in (outside, spool.layout.stage(REHEARSAL)):
        os.mkdir(folder)
        with open(os.path.join(folder, "x.log"), "w", encoding="ascii"):
            pass
    os.symlink(outside, spool.layout.stage(REHEARSAL))
    assert spool.sweep_tmp(time.time()) == 0
    assert spool.sweep_tmp(time.time() + LEFTOVER_AGE + 60) == 2
    assert os.listdir(spool.layout.tmp) == []
    assert os.listdir(outside) == ["x.log"]


def test_two_publishers_of_one_id(spool) -> None:
    """Of many that publish one id at the same time exactly one succeeds, and its bytes are the ones that lie there."""
    start, winners = threading.Barrier(4), []

    def publish(number: int) -> None:
        start.wait(10)
        try:
            spool.publish("x", b"%d" % number)
        except DuplicateJobError:
            return
        winners.append(number)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(winners) == 1
    assert content(spool.layout.job(State.PENDING, "x")) == b"%d" % winners[0]

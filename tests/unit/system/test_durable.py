"""Changes that reach the disk whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys

import pytest

from spoolrunner.system import durable

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and folder syncs")


@pytest.fixture
def paths(tmp_path) -> tuple[str, str]:
    """A staged path and a target."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "pending").mkdir()
    return str(tmp_path / "tmp" / "staged"), str(tmp_path / "pending" / "target")


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """The order in which files are written, synced and renamed."""
    seen: list[str] = []
    sync, replace, rename = os.fsync, os.replace, durable.rename

    def note(word, call):
        def noted(*args):
            seen.append(word(*args) if callable(word) else word)
            return call(*args)

        return noted

    def kind(descriptor: int) -> str:
        return "fsync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync file"

    monkeypatch.setattr(os, "fsync", note(kind, sync))
    monkeypatch.setattr(os, "replace", note("rename", replace))
    monkeypatch.setattr(durable, "rename", note("rename", rename))
    return seen


def write(path: str, data: bytes = b"old") -> None:
    with open(path, "wb") as stream:
        stream.write(data)


def read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def failing(code: int):
    def fail(*args):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("call", [durable.replace_content, durable.publish])
@posix
def test_order(paths, calls, call) -> None:
    """A file is synced before it is renamed, and its folder after."""
    call(*paths, b"new", True)
    assert calls == ["fsync file", "rename", "fsync folder"]
    assert read(paths[1]) == b"new"
    assert not os.path.exists(paths[0])


@pytest.mark.parametrize("call", [durable.replace_content, durable.publish])
def test_without_sync(paths, calls, call) -> None:
    """Without fsync nothing is synced, and the file is there all the same."""
    call(*paths, b"new", False)
    assert calls == ["rename"]
    assert read(paths[1]) == b"new"


def test_replace_content_replaces(paths) -> None:
    """replace_content puts new content in the place of the old, in a new file."""
    write(paths[1])
    before = os.stat(paths[1]).st_ino
    durable.replace_content(*paths, b"new", True)
    assert read(paths[1]) == b"new"
    assert os.stat(paths[1]).st_ino != before


def test_publish_refuses_a_taken_name(paths) -> None:
    """Publishing leaves a file of that name as it is, and no staged file behind."""
    write(paths[1])
    with pytest.raises(FileExistsError):
        durable.publish(*paths, b"new", True)
    assert read(paths[1]) == b"old"
    assert not os.path.exists(paths[0])


@pytest.mark.parametrize("fsync", [True, False])
def test_write_new(paths, fsync) -> None:
    """write_new writes all of it, however large, for its owner alone."""
    data = os.urandom(3 << 20)
    durable.write_new(paths[0], data, fsync)
    assert read(paths[0]) == data
    if os.name != "nt":
        assert stat.S_IMODE(os.stat(paths[0]).st_mode) == 0o600


def test_write_new_in_pieces(paths, monkeypatch) -> None:
    """A system that takes only part of what is written gets the rest."""
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:3]))
    durable.write_new(paths[0], b"0123456789", False)
    assert read(paths[0]) == b"0123456789"


def test_write_new_refuses_what_is_there(paths) -> None:
    """write_new never writes into a file that is there, nor removes it."""
    write(paths[0])
    with pytest.raises(FileExistsError):
        durable.write_new(paths[0], b"new", False)
    assert read(paths[0]) == b"old"


@posix
def test_write_new_follows_no_link(paths, tmp_path) -> None:
    """write_new does not write through a symbolic link, not even one that leads nowhere."""
    os.symlink(tmp_path / "elsewhere", paths[0])
    with pytest.raises(FileExistsError):
        durable.write_new(paths[0], b"new", False)
    assert not os.path.exists(tmp_path / "elsewhere")


@pytest.mark.parametrize("call", [durable.replace_content, durable.publish])
@pytest.mark.parametrize(("name", "code"), [("fsync", errno.EIO), ("write", errno.ENOSPC)])
def test_a_failure_leaves_all_as_it_was(paths, monkeypatch, call, name, code) -> None:
    """When the disk refuses, the error is raised, the target is untouched and no staged file is left."""
    if call is durable.replace_content:
        write(paths[1])
    monkeypatch.setattr(os, name, failing(code))
    with pytest.raises(OSError, match=os.strerror(code)):
        call(*paths, b"new", True)
    monkeypatch.undo()
    assert not os.path.exists(paths[0])
    assert os.path.exists(paths[1]) == (call is durable.replace_content)


def test_a_failed_sync_is_not_tried_again(paths, monkeypatch) -> None:
    """After a failed fsync the file is thrown away: its second sync would say done."""
    synced: list[int] = []

    def fail(descriptor: int) -> None:
        synced.append(descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        durable.write_new(paths[0], b"new", True)
    assert len(synced) == 1


def three(paths) -> list[tuple[str, str, bytes]]:
    """Three files to be given a new content, the second of which is not there yet."""
    staged, target = paths
    files = [(f"{staged}{n}", f"{target}{n}", f"new {n}".encode()) for n in range(3)]
    write(files[0][1])
    write(files[2][1])
    return files


@posix
def test_order_of_many(paths, calls) -> None:
    """Of many files all are synced before the first is renamed, and the folder once after the last."""
    files = three(paths)
    assert durable.replace_many(files, True) == [None, None, None]
    assert calls == ["fsync file"] * 3 + ["rename"] * 3 + ["fsync folder"]
    assert [read(path) for _, path, _ in files] == [b"new 0", b"new 1", b"new 2"]


def test_many_without_sync(paths, calls) -> None:
    """Without fsync many files are renamed and nothing is synced."""
    assert durable.replace_many(three(paths), False) == [None, None, None]
    assert calls == ["rename"] * 3


def test_none_of_many(calls) -> None:
    """Of no files nothing is done: there is no folder to be synced."""
    assert durable.replace_many([], True) == []
    assert calls == []


@pytest.mark.parametrize("step", ["write", "sync", "rename"])
def test_one_of_many_that_cannot_be_replaced(paths, monkeypatch, step) -> None:
    """One file that the disk refuses, at whatever step, is as it was and leaves no staged file; the others are replaced."""
    files = three(paths)
    target = files[2][1]
    if step == "write":
        write(files[2][0], b"taken")
    elif step == "sync":
        real, synced = os.fsync, []

        def fail_third(descriptor: int) -> None:
            synced.append(descriptor)
            if len(synced) == 3:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fail_third)
    else:
        os.unlink(target)
        os.mkdir(target)
    errors = durable.replace_many(files, True)
    assert [error is None for error in errors] == [True, True, False]
    assert [read(path) for _, path, _ in files[:2]] == [b"new 0", b"new 1"]
    assert os.path.isdir(target) if step == "rename" else read(target) == b"old"
    assert os.listdir(os.path.dirname(paths[0])) == (["staged2"] if step == "write" else [])  # another's file stays


@posix
def test_many_of_which_none_is_replaced(paths, calls) -> None:
    """Where no file came into place there is nothing in the folder to be synced."""
    files = three(paths)
    for staged, _, _ in files:
        write(staged)
    assert all(isinstance(error, FileExistsError) for error in durable.replace_many(files, True))
    assert calls == []


@posix
def test_many_whose_folder_cannot_be_synced(paths, monkeypatch) -> None:
    """When the folder cannot be synced that is an error of all of them, though each is in place."""
    files = three(paths)
    monkeypatch.setattr(durable, "sync_folder", failing(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        durable.replace_many(files, True)
    assert [read(path) for _, path, _ in files] == [b"new 0", b"new 1", b"new 2"]
    assert os.listdir(os.path.dirname(paths[0])) == []


def test_sync_of_a_file(paths, calls) -> None:
    """A file that was written by whomever is synced as it is, and not changed."""
    write(paths[1])
    durable.sync(paths[1])
    assert calls == ["fsync file"]
    assert read(paths[1]) == b"old"


@posix
def test_sync_follows_no_link_and_makes_nothing(paths) -> None:
    """A file that is not there, or that a link took the place of, is an error."""
    with pytest.raises(FileNotFoundError):
        durable.sync(paths[1])
    write(paths[0])
    os.symlink(paths[0], paths[1])
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        durable.sync(paths[1])


def test_replace_content_that_cannot_rename(paths) -> None:
    """When the rename fails no staged file is left."""
    os.mkdir(paths[1])
    with pytest.raises(OSError, match=r"."):
        durable.replace_content(*paths, b"new", False)
    assert not os.path.exists(paths[0])


@pytest.fixture(params=["exclusive", "checked"])
def rename(request, monkeypatch):
    """Renaming as the system offers it, and where the system offers nothing."""
    if request.param == "checked":
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(durable, "_exclusive", failing(errno.ENOSYS))
        monkeypatch.setattr(durable, "_unchecked", set())
    return durable.rename


@pytest.mark.parametrize("make", [write, os.mkdir])
def test_rename_never_overwrites(paths, rename, make) -> None:
    """A rename refuses a target that is there, be it a file or a folder, and moves nothing."""
    source, target = paths
    write(source, b"new")
    make(target)
    with pytest.raises(FileExistsError):
        rename(source, target)
    assert read(source) == b"new"


@posix
def test_rename_never_overwrites_a_dangling_link(paths, rename) -> None:
    """A rename refuses a target that is a link to nothing."""
    write(paths[0])
    os.symlink("nowhere", paths[1])
    with pytest.raises(FileExistsError):
        rename(*paths)
    assert os.path.islink(paths[1])


def test_rename(paths, rename) -> None:
    """A rename moves the very file, names with spaces and bytes beyond ASCII included."""
    source, target = paths[0] + " é", paths[1] + " ü"
    write(source, b"new")
    before = os.stat(source).st_ino
    rename(source, target)
    assert (read(target), os.stat(target).st_ino) == (b"new", before)
    assert not os.path.exists(source)


def test_rename_of_nothing(paths, rename) -> None:
    """A rename of a file that is gone is a FileNotFoundError that names it."""
    with pytest.raises(FileNotFoundError) as caught:
        rename(*paths)
    assert caught.value.filename == paths[0]


def test_unchecked_folders(paths, monkeypatch) -> None:
    """Where only a check guards a rename, the folder is known afterwards."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(durable, "_exclusive", failing(errno.EINVAL))
    monkeypatch.setattr(durable, "_unchecked", set())
    write(paths[0])
    durable.rename(*paths)
    assert durable.unchecked_folders() == {os.path.dirname(paths[1])}


def test_rename_does_not_fall_back_on_a_real_error(paths, monkeypatch) -> None:
    """An error of the disk is raised, and no other way to rename is tried."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(durable, "_exclusive", failing(errno.EIO))
    write(paths[0])
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        durable.rename(*paths)
    assert os.path.exists(paths[0])


def test_unlink(paths) -> None:
    """Removing a file tells whether the file was there."""
    write(paths[0])
    assert durable.unlink(paths[0]) is True
    assert durable.unlink(paths[0]) is False

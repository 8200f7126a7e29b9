"""The file system under a spool, and what it cannot promise."""

from __future__ import annotations

import os

import pytest

from spoolrunner.spool import mounts


@pytest.mark.parametrize(
    ("kind", "word"),
    [("ext4", None), ("tmpfs", "tmpfs"), ("nfs4", "nfs4"), ("cifs", "cifs"), ("fuse.sshfs", "fuse.sshfs")],
)
def test_warnings_of_file_systems(spool, monkeypatch, kind, word) -> None:
    """A memory file system and a network mount weaken the promise, and it is said so."""
    monkeypatch.setattr(mounts, "file_system", lambda path: kind)
    found = mounts.warnings(spool.layout)
    assert len(found) == (word is not None)
    assert all(word in warning for warning in found)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("ext2", ["no journal"]),
        ("exfat", ["no journal", "other inode numbers"]),
        ("vfat", ["no journal", "other inode numbers"]),
        ("fuse.mergerfs", ["only as good", "other inode numbers"]),
        ("btrfs", []),
        ("xfs", []),
    ],
)
def test_warnings_of_what_a_file_system_does_not_keep(spool, monkeypatch, kind, words) -> None:
    """One without a journal, and one whose files have no lasting numbers, are named; those that are tested are not."""
    monkeypatch.setattr(mounts, "file_system", lambda path: kind)
    found = mounts.warnings(spool.layout)
    assert len(found) == len(words)
    assert all(word in warning and kind in warning for word, warning in zip(words, found, strict=True))


@pytest.mark.skipif(os.name == "nt", reason="not told on Windows")
def test_file_system(tmp_path) -> None:
    """Every path lies on a file system that has a name."""
    assert mounts.file_system(str(tmp_path))

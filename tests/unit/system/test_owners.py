"""Whose a file is, and what root leaves in the folders of others."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from spoolrunner.system import durable, owners
from spoolrunner.system.owners import User

USER = User(54321, 54322)
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file to another user"
)


@pytest.fixture
def theirs(tmp_path):
    """A folder of another user."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, *USER)
    return folder


def test_owner_of(tmp_path) -> None:
    """The owner is that of a link itself; nothing has none."""
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    found = owners.owner_of(str(tmp_path / "link"))
    assert (None if found is None else found.uid) == owners.effective_user()
    assert owners.owner_of(str(tmp_path / "nowhere")) is None


@as_root
def test_what_root_writes_belongs_to_the_owner_of_the_folder(theirs) -> None:
    """Every way to write a file gives it to the user whose folder it lies in."""
    new, replaced, published = (str(theirs / name) for name in ("new", "replaced", "published"))
    durable.write_new(new, b"x", False)
    durable.replace_content(str(theirs / "staged"), replaced, b"x", False)
    durable.publish(str(theirs / "staged"), published, b"x", False)
    durable.publish_many([(str(theirs / f"s{n}"), str(theirs / f"p{n}"), b"x") for n in range(9)], False)
    paths = [new, replaced, published, str(theirs / "p8")]
    assert [(os.stat(path).st_uid, os.stat(path).st_mode & 0o777) for path in paths] == [(USER.uid, 0o600)] * 4


@as_root
def test_a_new_folder_belongs_to_the_owner_of_the_one_above(theirs) -> None:
    """A folder is handed over as files are; what became a link meanwhile is not."""
    (theirs / "made").mkdir()
    owners.hand_over_folder(str(theirs / "made"), str(theirs))
    assert (theirs / "made").stat().st_uid == USER.uid
    (theirs / "link").symlink_to(theirs.parent)
    with pytest.raises(OSError, match="link"):
        owners.hand_over_folder(str(theirs / "link"), str(theirs))
    assert theirs.parent.stat().st_uid == 0


@as_root
def test_become() -> None:
    """Who became another user has his rights and groups alone, and does not get back."""
    program = """
import os
from spoolrunner.system import owners
owners.become(owners.User(54321, 54322))
print(os.getresuid(), os.getresgid(), os.getgroups())
try:
    os.setuid(0)
except PermissionError:
    print("for good")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{(USER.uid,) * 3} {(USER.gid,) * 3} []", "for good"]

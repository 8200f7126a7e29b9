"""Whose a file is, and whose rights this process has. On Windows files have no owner in this sense: nothing is done there."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple


class User(NamedTuple):
    """A user by his numbers, and his group."""

    uid: int
    gid: int


if sys.platform == "win32":

    def effective_user() -> int | None:
        """Return None: there is no such number here."""
        return None

    def is_ours(status: os.stat_result) -> bool:  # noqa: ARG001 -- as elsewhere
        """Return True: who may make a file there is for the access lists."""
        return True

    def may_be_written_by_others(status: os.stat_result) -> bool:
        """Return whether somebody may write into a file by another name of it."""
        return status.st_nlink > 1

    def owner_of(path: str) -> User | None:  # noqa: ARG001 -- as elsewhere
        """Return None: there is no such owner here."""
        return None

    def become(user: User) -> None:
        """Raise: nobody can be told to do that here."""
        raise NotImplementedError(f"Windows has no user {user.uid}")

    def hand_over(descriptor: int, folder: str) -> None:
        """Do nothing: who may read a file is for the access lists of its folder."""

    def hand_over_folder(path: str, parent: str) -> None:
        """Do nothing, as above."""

else:

    def effective_user() -> int | None:
        """Return the number of the user whose rights this process has."""
        return os.geteuid()

    def is_ours(status: os.stat_result) -> bool:
        """Return whether a file belongs to the user whose rights this process has."""
        return status.st_uid == os.geteuid()

    def may_be_written_by_others(status: os.stat_result) -> bool:
        """Return whether somebody else may write into a file: by another name of it, as its owner, or by its permissions."""
        return status.st_nlink > 1 or not is_ours(status) or bool(status.st_mode & 0o022)

    def owner_of(path: str) -> User | None:
        """Return the owner of what lies at `path`, which may be a link; None when there is nothing."""
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return None
        return User(status.st_uid, status.st_gid)

    def become(user: User) -> None:
        """Give up the rights of root for good, for those of that user."""
        import pwd

        try:
            known = pwd.getpwuid(user.uid)
        except KeyError:
            os.setgroups([])  # a container may know no name for the number
            os.setgid(user.gid)
        else:
            os.initgroups(known.pw_name, known.pw_gid)
            os.setgid(known.pw_gid)
        os.setuid(user.uid)

    def hand_over(descriptor: int, folder: str) -> None:
        """Give a new file, which is open, to the owner of its folder: root would leave there what he cannot read."""
        if os.geteuid() == 0 and (owner := os.stat(folder).st_uid) != 0:
            os.fchown(descriptor, owner, -1)

    def hand_over_folder(path: str, parent: str) -> None:
        """Give a new folder to the owner of the one it lies in, as `hand_over` does with a file."""
        if os.geteuid() == 0 and os.stat(parent).st_uid != 0:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                hand_over(descriptor, parent)
            finally:
                os.close(descriptor)

"""What a process gave up, and what of it can be had back: in processes of their own, since that is for good."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from spoolrunner.system import rights

posix = pytest.mark.skipif(sys.platform == "win32", reason="users, roots and limits of POSIX")
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give up its user or its root"
)
BEGIN = "import errno, os, resource\nfrom spoolrunner.system import rights\n"


def printed(program: str) -> str:
    """What such a program prints at its end."""
    command = [sys.executable, "-c", BEGIN + program]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def test_nothing_was_given_up() -> None:
    """In an ordinary process no error is for good, and nothing can be had back."""
    assert not rights.is_elsewhere()
    for code in (errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOSPC, errno.EIO):
        assert not rights.are_given_up(OSError(code, ""))
        assert not rights.regain(OSError(code, ""))


@posix
def test_modes_are_as_asked_for(tmp_path) -> None:
    """The umask of the process counts for nothing in the block, and is what it was behind it."""
    before = os.umask(0o777)
    try:
        with rights.plain_modes():
            os.close(os.open(tmp_path / "made", os.O_CREAT | os.O_WRONLY, 0o600))
        assert os.umask(0o777) == 0o777
    finally:
        os.umask(before)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o600


@as_root
def test_a_user_that_was_put_aside_comes_back() -> None:
    """A process that only changed its effective user and group takes them back."""
    program = "os.setegid(65534); os.seteuid(65534); print(rights.regain(OSError(errno.EACCES, '')))"
    program += "; print(os.geteuid(), os.getegid())"
    assert printed(program) == "True\n0 0"


@as_root
def test_a_user_that_was_given_up_is_gone() -> None:
    """What such a process may not do it will never be able to do."""
    program = (
        "os.setuid(65534); error = OSError(errno.EACCES, ''); print(rights.regain(error), rights.are_given_up(error))"
    )
    assert printed(program) == "False True"


@as_root
def test_another_root(tmp_path) -> None:
    """A process with another root does not look for what lay in the old one."""
    program = (
        f"os.chroot({str(tmp_path)!r}); print(rights.is_elsewhere(), rights.are_given_up(OSError(errno.ENOENT, '')))"
    )
    assert printed(program) == "True True"


@posix
@pytest.mark.parametrize(("name", "code"), [("FSIZE", "EFBIG"), ("NOFILE", "EMFILE")])
def test_a_soft_limit_is_raised_once(name, code) -> None:
    """A limit that stands in the way goes up as far as the hard one allows; after that there is nothing more to be had."""
    kind = f"resource.RLIMIT_{name}"
    lower = f"resource.setrlimit({kind}, (10, resource.getrlimit({kind})[1]))\n"
    ask = f"print(rights.regain(OSError(errno.{code}, '')), resource.getrlimit({kind})[0] != 10)\n"
    answers = printed(lower + ask + ask * 2).splitlines()
    assert answers[0] == "True True"
    assert answers[2] == "False True"


@posix
def test_a_file_too_large_is_given_up() -> None:
    """Where the limit cannot be raised, the error would come each time."""
    assert rights.are_given_up(OSError(errno.EFBIG, ""))

"""Programs that are looked for and run: found as the system finds them, waited for, and read as long as they run."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys

import pytest

from spoolrunner.system import processes
from spoolrunner.system.programs import find, run, search_path

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and signals of POSIX")
PYTHON = sys.executable


def program(folder, name: str, text: str = "#!/bin/sh\n", mode: int = 0o755) -> str:
    """Make a script; returns its path."""
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def ran(code: str, *words: str, **environment: str) -> tuple[int, bytes]:
    """What a Python program came to: its status, and its standard output."""
    pieces: list[bytes] = []
    status = run(PYTHON, [PYTHON, "-S", "-c", code, *words], {**os.environ, **environment}, pieces.append)
    return status, b"".join(pieces)


@posix
def test_finding(tmp_path) -> None:
    """A name is looked for in the folders, in order; one with a folder is a path; neither is found if it cannot be run."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    first, second = program(one, "a"), program(two, "b")
    program(one, "b", mode=0o644)
    (one / "c").mkdir()
    folders = f"{one}:{two}"
    assert find("a", folders, "/") == first
    assert find("b", folders, "/") == second
    assert find("c", folders, "/") is None
    assert find("one/a", "", str(tmp_path)) == first
    assert find("one/b", folders, str(tmp_path)) is None
    assert find(second, "", "/nowhere") == second
    assert find("a", "one", str(tmp_path)) == first
    assert find("a", "", str(one)) == str(one / "" / "a")
    assert find("a", f"{two}:", str(one)) == str(one / "" / "a")
    assert find("..", folders, "/") is None


def test_the_search_path() -> None:
    """It is that of the environment, or what the system has for want of one."""
    assert search_path({"PATH": "/x"}) == "/x"
    assert search_path({}) == os.defpath


def test_a_status() -> None:
    """The exit status is returned."""
    assert ran("raise SystemExit(0)") == (0, b"")
    assert ran("raise SystemExit(7)") == (7, b"")
    assert run(PYTHON, [PYTHON, "-S", "-c", "raise SystemExit(3)"], os.environ) == 3


@posix
def test_a_signal() -> None:
    """A program that is ended by a signal has a status below 0."""
    assert ran("import os; os.kill(os.getpid(), 9)") == (-9, b"")
    assert run("/bin/sh", ["sh", "-c", "kill -11 $$"], os.environ) == -11


def test_words_and_environment_arrive() -> None:
    """Each word is one argument, whatever it holds; the environment is the one given."""
    words = ["a b", "", "*", '"', "'", "$HOME", "a\nb", "ä€😀", "\\", "-c"]
    code = "import os, sys; sys.stdout.buffer.write(repr([sys.argv[1:], os.environ['X_Y']]).encode())"
    assert ran(code, *words, X_Y="z")[1].decode() == repr([words, "z"])


def test_nothing_on_standard_input() -> None:
    """The program reads an end of file."""
    assert ran("import sys; print(len(sys.stdin.read()))")[1].strip() == b"0"


@posix
@pytest.mark.parametrize("name", ["USR1", "PIPE", "XFSZ"])
def test_signals_are_as_in_a_fresh_process(name) -> None:
    """What this Python ignores, or has blocked, its programs do not."""
    number = getattr(signal, f"SIG{name}")
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        assert run("/bin/sh", ["sh", "-c", f"kill -{name} $$"], os.environ) == -number
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_no_descriptor_is_inherited(tmp_path) -> None:
    """The program does not get the files that we have open."""
    code = """
import os
for name in os.listdir('/proc/self/fd'):
    if os.path.exists(f'/proc/self/fd/{name}'):
        print(os.readlink(f'/proc/self/fd/{name}'))
"""
    with open(tmp_path / "ours", "w"):
        assert "ours" not in ran(code)[1].decode()


def test_much_output() -> None:
    """More than a pipe holds is read while it comes."""
    status, output = ran("import sys; sys.stdout.buffer.write(b'x' * 5_000_000)")
    assert (status, len(output)) == (0, 5_000_000)


@posix
@pytest.mark.parametrize("has_sign", [True, False])
def test_one_that_keeps_the_output_open(has_sign, monkeypatch) -> None:
    """A program is over when it has ended, whatever it has started and left behind with its standard output."""
    if not has_sign:
        monkeypatch.setattr(processes, "descriptor_of", lambda pid: None)
    read, write = os.pipe()
    os.set_inheritable(read, True)
    code = "import os, sys; print('before', flush=True); os.fork() and os._exit(4); os.read(int(sys.argv[1]), 1)"
    try:
        assert ran(code, str(read)) == (4, b"before\n")
    finally:
        os.close(read)
        os.close(write)  # and so the one that was left ends


@posix
def test_one_that_closes_its_output() -> None:
    """A program that closes its standard output is waited for."""
    assert ran("import os; os.write(1, b'x'); os.close(1); os.close(2); raise SystemExit(5)") == (5, b"x")


@posix
@pytest.mark.parametrize(
    ("text", "mode", "code"),
    [
        ("no script\n", 0o755, errno.ENOEXEC),
        ("#!/no/such/interpreter\n", 0o755, errno.ENOENT),
    ],
)
def test_what_cannot_be_started(tmp_path, text, mode, code) -> None:
    """A file that the system cannot run is an error, and no shell is asked to make something of it."""
    path = program(tmp_path, "x", text, mode)
    for take in (None, [].append):
        with pytest.raises(OSError, match=re.escape(os.strerror(code))):
            run(path, ["x"], os.environ, take)


@posix
def test_words_that_are_too_long() -> None:
    """The system's limit is an error, and leaves nothing open."""
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(OSError, match="too long"):
        run("/bin/true", ["true", "x" * 10_000_000], os.environ, [].append)
    assert len(os.listdir("/dev/fd")) == before


@posix
def test_an_interrupted_wait_ends_the_program(tmp_path, monkeypatch) -> None:
    """Whoever is interrupted while he waits leaves no program running alone."""
    waitpid, ended = os.waitpid, []

    def interrupted(pid: int, flags: int):
        if not ended:
            ended.append(pid)
            raise KeyboardInterrupt
        return waitpid(pid, flags)

    monkeypatch.setattr(os, "waitpid", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("/bin/sleep", ["sleep", "1000"], os.environ)
    _, status = waitpid(ended[0], 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "win32", reason="batch files")
def test_a_batch_file_is_no_program(tmp_path) -> None:
    """Windows would have it run by a shell."""
    (tmp_path / "x.bat").write_text("echo x")
    assert find("x.bat", str(tmp_path), ".") is None
    assert find("x", str(tmp_path), ".") is None

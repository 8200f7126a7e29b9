"""How the process of a job ends: each claim in a process of its own, since nothing comes after it."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zipfile

import pytest


def ended(work: str) -> subprocess.CompletedProcess[str]:
    """A process that ends after a function with this body."""
    program = f"""
import atexit, os, sys, threading
from spoolrunner.attempt.exit import exit_after
def work():
    {work}
exit_after(work)
print("never reached", flush=True)
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("status", [0, 7, 75])
def test_the_status_of_the_work(status) -> None:
    """The process ends with the status that the work returned, and nothing after it runs."""
    done = ended(f"return {status}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_what_was_printed_gets_out() -> None:
    """What Python still holds of the output is written."""
    assert ended("print('out', end=''); print('err', end='', file=sys.stderr); return 0").stdout == "out"


def test_exit_handlers_run() -> None:
    """Handlers of atexit run, the last one first, as at the end of an interpreter."""
    assert ended("atexit.register(print, 1); atexit.register(print, 2); return 0").stdout.split() == ["2", "1"]


def test_threads_are_waited_for() -> None:
    """A thread that the job started comes to its end; a daemon thread does not keep the process."""
    work = """
    released = threading.Event()
    threading.Thread(target=lambda: (released.wait(20), print("thread"))).start()
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    threading.Timer(0.05, released.set).start()
    return 3"""
    done = ended(work.strip())
    assert (done.returncode, done.stdout.split()) == (3, ["thread"])


@pytest.mark.parametrize(("call", "status"), [("sys.exit(5)", 5), ("sys.exit()", 1), ("sys.exit('sorry')", 1)])
def test_a_system_exit_is_the_status(call, status) -> None:
    """SystemExit ends the process with its code, or with 1 when that is no number; without a traceback."""
    done = ended(call)
    assert (done.returncode, done.stderr) == (status, "")


def test_an_error_is_shown() -> None:
    """Work that raises ends the process with 1, and the traceback stands on standard error."""
    done = ended("raise ValueError('no such thing')")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.endswith("ValueError: no such thing\n")


def test_an_exit_handler_that_fails_does_not_change_the_status() -> None:
    """An exit handler that raises is shown, and the status stays that of the work."""
    done = ended("atexit.register(lambda: 1 / 0); return 4")
    assert (done.returncode, "ZeroDivisionError" in done.stderr) == (4, True)


OPENS = {
    "text": "kept = open(path, 'w'); kept.write('x' * 10)",
    "bytes": "kept = open(path, 'wb'); kept.write(b'x' * 10)",
    "read and write": "kept = open(path, 'w+b'); kept.write(b'x' * 10)",
    "held by a frame": "open_one = open(path, 'w'); open_one.write('x' * 10); sys.kept = sys._getframe()",
    "in a cycle": "kept = [open(path, 'w')]; kept[0].write('x' * 10); kept.append(kept)",
    "behind a hole": "low = open(os.devnull); kept = open(path, 'w'); kept.write('x' * 10); low.close()",
    "without standard streams": "kept = open(path, 'w'); kept.write('x' * 10); os.close(0)",
    "on a compressed file": "import gzip, io; kept = io.TextIOWrapper(gzip.open(path, 'wb')); kept.write('x' * 10)",
    "of an archive": "import zipfile; kept = zipfile.ZipFile(path, 'w'); kept.writestr('a', 'x' * 10)",
    "through a class of its own": "import codecs; kept = codecs.open(path, 'w', 'utf-8'); kept.write('x' * 10)",
    "frozen": "import gc; kept = open(path, 'w'); gc.freeze(); kept.write('x' * 10)",
}
"""What is left open -> how."""


@pytest.mark.parametrize("what", OPENS)
def test_files_left_open_are_flushed(tmp_path, what) -> None:
    """What was written to a file that nobody closed is in it, as at the end of any Python program."""
    path = tmp_path / "left"
    body = f"global kept; path = {str(path)!r}; {OPENS[what]}; return 6"
    done = ended(body)
    assert (done.returncode, done.stderr) == (6, "")
    if what == "on a compressed file":
        assert gzip.decompress(path.read_bytes()) == b"x" * 10
    elif what == "of an archive":
        assert zipfile.ZipFile(path).read("a") == b"x" * 10
    else:
        assert path.read_bytes() == b"x" * 10


def test_temporary_files_are_removed(tmp_path) -> None:
    """A named temporary file that was left open is gone, as it would be by itself."""
    made = f"kept = tempfile.NamedTemporaryFile(dir={str(tmp_path)!r}); kept.write(b'x'); return 0"
    assert ended(f"global kept; import tempfile; {made}").returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["raise ValueError('no')", "sys.exit(3)"])
def test_a_file_that_cannot_be_flushed(tmp_path, what) -> None:
    """The others are flushed all the same, and the status stays that of the work."""
    path = tmp_path / "left"
    work = f"""
    import io
    class Hostile(io.RawIOBase):
        def close(self):
            {what}
    global kept
    kept = [Hostile(), open({str(path)!r}, "w"), Hostile()]
    kept[1].write("x" * 10)
    return 6"""
    done = ended(work.strip())
    assert done.returncode == 6
    assert path.read_text(encoding="ascii") == "x" * 10


@pytest.mark.parametrize(("code", "status"), [("2**70", 0), ("-1", 255), ("True", 1), ("256", 0)])
def test_any_status_ends_the_process(code, status) -> None:
    """A status that is no byte is cut to one, as the system does: nothing keeps the process from its end."""
    assert ended(f"return {code}").returncode == status


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_output_that_is_lost_is_said() -> None:
    """Where the disk refuses what was left in a file, standard error says so."""
    done = ended("global kept; kept = open('/dev/full', 'w'); kept.write('x'); return 6")
    assert done.returncode == 6
    assert "spoolrunner: a file that was left open: OSError: [Errno 28]" in done.stderr

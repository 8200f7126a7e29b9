"""Sizes, and the limits that a process takes on; each in a process of its own, since a hard limit cannot be raised again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from spoolrunner.attempt import rlimits
from spoolrunner.protocol.policy import Policy

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux keeps all of these limits")


def limited(policy: Policy, body: str, *before: str) -> subprocess.CompletedProcess[str]:
    """Run `body` in a process that is held to the policy, started by the words `before`."""
    limits = policy.process_limits or (None, None, None, False)
    program = f"""
import os, resource
from spoolrunner.attempt import rlimits
with rlimits.restricted_by({limits!r}):
    {body}
"""
    command = [*before, sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("text", "size"), [("64M", 64 << 20), ("1G", 1 << 30), (1 << 25, 1 << 25), ("65536k", 1 << 26)]
)
def test_sizes(text, size) -> None:
    """A size is a number of bytes, or one with a unit of 1024."""
    assert rlimits.parse_size(text) == size


@pytest.mark.parametrize("value", ["64", "64MB", "1 G", "-1G", 1.5, True, None, "1M", 1 << 60])
def test_what_is_no_size(value) -> None:
    """Anything else, and what is too small for an interpreter, is refused."""
    with pytest.raises(ValueError, match=r"size|range"):
        rlimits.parse_size(value)


def test_memory() -> None:
    """More memory than allowed cannot be had: MemoryError."""
    ended = limited(Policy(memory=64 << 20), "bytearray(80 << 20)")

    assert "MemoryError" in ended.stderr


def test_memory_that_is_only_reserved_does_not_count() -> None:
    """Address space that is not written to is free, as runtimes with a heap of their own need it."""
    mapping = "__import__('mmap').mmap(-1, 1 << 34, prot=1)"

    assert limited(Policy(memory=64 << 20), mapping).returncode == 0


def test_open_files() -> None:
    """Not more files can be open than allowed, and some can again for the outcome."""
    body = """
    held = []
    try:
        while True:
            held.append(os.open('/dev/null', os.O_RDONLY))
    except OSError as error:
        print(len(held) + 3, error.errno)
os.close(os.open('/dev/null', os.O_RDONLY))
"""

    ended = limited(Policy(open_files=32), body)

    assert (ended.stdout, ended.stderr) == ("32 24\n", "")


def test_cpu_time() -> None:
    """A process that has used its CPU time up is ended by SIGXCPU."""
    ended = limited(Policy(cpu_time=0.5), "while True: pass")

    assert ended.returncode == -24


def test_no_new_privileges() -> None:
    """The process and what it starts have given up gaining privileges."""
    status = "os.system('grep NoNewPrivs /proc/self/status')"

    assert limited(Policy(no_new_privileges=True), status).stdout.split() == ["NoNewPrivs:", "1"]
    assert limited(Policy(), status).stdout.split() == ["NoNewPrivs:", "0"]


def test_a_lower_ceiling_stands() -> None:
    """Where the system allows less than the policy, the policy changes nothing and nothing fails."""
    lower = ("sh", "-c", 'ulimit -n 20 && exec "$@"', "sh")

    ended = limited(Policy(open_files=64), "print(resource.getrlimit(resource.RLIMIT_NOFILE))", *lower)

    assert ended.stdout == "(20, 20)\n"

"""Processes: which one is it, does it live, what belongs to it, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from spoolrunner.system import clock, machine, processes

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX sessions and signals")
BOOT = machine.boot_id()
READY = "print('ready', flush=True)\n"
WAITS = READY + "import sys; sys.stdin.read()\n"
WITH_A_CHILD_THAT_ENDS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", ""])
print(child.pid, flush=True)
child.wait()
"""
WITH_CHILDREN = """
import os, subprocess, sys
command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
same = subprocess.Popen(command, stdin=sys.stdin)
own = subprocess.Popen(command, stdin=sys.stdin, start_new_session=True)
print(same.pid, own.pid, flush=True)
sys.stdin.read()
"""


class Program:
    """A Python program that runs until its standard input is closed; its first line of output says that it runs."""

    def __init__(self, source: str = WAITS, **options) -> None:
        command = [sys.executable, "-c", source]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline().split()
        self.pid = self.process.pid

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def program():
    """Start programs; they are ended after the test."""
    made: list[Program] = []

    def start(source: str = WAITS, **options) -> Program:
        made.append(Program(source, **options))
        return made[-1]

    yield start
    for one in made:
        one.end()


def test_boot_id() -> None:
    """The boot has one name as long as the machine runs."""
    assert machine.boot_id() == BOOT
    if sys.platform == "linux":
        assert len(BOOT) == 8


def test_a_process_has_one_start() -> None:
    """The start of a process is the same word whenever it is asked for."""
    mine = processes.started(os.getpid(), BOOT)
    assert mine
    assert processes.started(os.getpid(), BOOT) == mine
    assert processes.lives(os.getpid(), mine, BOOT)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's start times repeat after a restart")
def test_a_start_belongs_to_a_boot() -> None:
    """The same process after a restart of the machine would be another."""
    mine = processes.started(os.getpid(), BOOT)
    assert mine
    assert not processes.lives(os.getpid(), mine, "another")


@pytest.mark.parametrize("start", ["", "1-x", "0"])
def test_a_pid_that_was_used_again(start) -> None:
    """A process of the same pid with another start is another process."""
    assert not processes.lives(os.getpid(), start, BOOT)


SAYS_ITS_WORD = """
import os
from spoolrunner.system import machine, processes
print(processes.known_by(os.getpid(), machine.boot_id()), flush=True)
import sys; sys.stdin.read()
"""


def test_a_process_is_known_by_the_word_it_gave(program) -> None:
    """A process lives as long as it does, by the word that it gave itself, and is gone after that."""
    one = program(SAYS_ITS_WORD)
    (word,) = one.said
    assert processes.lives(one.pid, word.decode(), BOOT)
    one.end()
    assert not processes.lives(one.pid, word.decode(), BOOT)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux knows a process by a time since boot")
def test_a_pid_that_was_used_again_is_not_the_one_of_the_word(program) -> None:
    """A process that started after the word was given, or in another boot, is another one than that which gave it."""
    word = processes.known_by(os.getpid(), BOOT)
    ticks = int(processes.started(program().pid, BOOT).partition("-")[0])
    seconds = ticks / os.sysconf("SC_CLK_TCK")
    later = program()
    assert not processes.lives(later.pid, f"<{seconds - 1:.2f}-{BOOT}", BOOT)
    assert processes.lives(os.getpid(), word, BOOT)
    assert not processes.lives(os.getpid(), word, "another")
    assert not processes.lives(os.getpid(), f"<{seconds + 1e6:.2f}-another", BOOT)


GIVES_ITS_WORD_AT_ONCE = """
import os
from spoolrunner.system import machine, processes
boot = machine.boot_id()
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if processes.lives(os.getpid(), processes.known_by(os.getpid(), boot), boot) else 1)
    print(os.waitpid(pid, 0)[1])
"""


@posix
def test_a_word_that_is_given_at_once() -> None:
    """A process that gives its word as soon as it has started is known by it: no rounding puts that before its start."""
    done = subprocess.run([sys.executable, "-c", GIVES_ITS_WORD_AT_ONCE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"] * 20


CARRIES = r"""
import os, subprocess, sys
from spoolrunner.system import processes
processes.carry_mark("/spool\udcff:x:1")
ask = "import os; print(ascii(os.environ['SPOOLRUNNER_JOB']), flush=True)"
exec(ask)
for environment in (None, dict(os.environ)):
    subprocess.run([sys.executable, "-c", ask], env=environment, check=True)
"""


def test_a_mark_is_carried_by_all_that_inherit_it() -> None:
    """The mark is seen by the process itself and by what it starts, whether that inherits the environment or a copy of it."""
    done = subprocess.run([sys.executable, "-c", CARRIES], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [r"'/spool\udcff:x:1'"] * 3


def test_waiting_without_descriptors(program, monkeypatch) -> None:
    """Where no descriptor is left to wait by, one is asked for again after a while."""
    one = program()
    one.end()
    real, tries, slept = psutil.Process, [], []

    def process(pid):
        tries.append(pid)
        if len(tries) < 3:
            raise OSError(24, "Too many open files")
        return real(pid)

    monkeypatch.setattr(psutil, "Process", process)
    monkeypatch.setattr(clock.SYSTEM, "sleep", slept.append)
    processes.wait(one.pid)
    assert (len(tries), len(slept)) == (3, 2)


def test_a_process_that_is_gone(program) -> None:
    """A process that ended and was reaped is gone."""
    one = program()
    start = processes.started(one.pid, BOOT)
    assert start
    assert processes.lives(one.pid, start, BOOT)
    one.end()
    assert processes.started(one.pid, BOOT) is None
    assert not processes.lives(one.pid, start, BOOT)
    processes.wait(one.pid)


@posix
def test_a_process_that_waits_to_be_reaped(program) -> None:
    """A process that is dead, but whose parent did not ask yet, is gone too."""
    one = program()
    os.kill(one.pid, signal.SIGKILL)
    os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
    assert processes.started(one.pid, BOOT) is None
    assert processes.still_running([psutil.Process(one.pid)]) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the name of a process is set through /proc")
def test_a_process_with_an_odd_name(program) -> None:
    """A name with brackets and spaces does not confuse the reading of the start."""
    plain = program()
    odd = program("open('/proc/self/comm', 'w').write(') S 1 (x')\n" + WAITS)
    for one in (plain, odd):
        start = processes.started(one.pid, BOOT)
        assert start is not None
        assert start.partition("-")[0].isdigit()


def pids(found) -> set[int]:
    return {process.pid for process in found}


@posix
def test_tree(program) -> None:
    """A tree is the process, its children and those of its children that left its session; a stranger is not in it."""
    leader = program(WITH_CHILDREN, start_new_session=True)
    stranger = program()
    found = pids(processes.tree(leader.pid, "no mark"))
    assert found == {leader.pid, *map(int, leader.said)}
    assert stranger.pid not in found


@posix
def test_tree_of_a_dead_leader(program) -> None:
    """When the leader is gone, those of its session are still found; and the others by their mark."""
    leader = program(WITH_CHILDREN, start_new_session=True, env={**os.environ, processes.MARK: "spool:x:1"})
    same, own = map(int, leader.said)
    os.kill(leader.pid, signal.SIGKILL)
    leader.process.wait(10)
    assert pids(processes.tree(leader.pid, "another mark")) == {same}
    assert pids(processes.tree(leader.pid, "spool:x:1")) == {same, own}


@posix
def test_tree_never_holds_the_asker() -> None:
    """Whoever asks is never in the tree, not even in one's own session."""
    assert os.getpid() not in pids(processes.tree(os.getsid(0), "no mark"))


@posix
@pytest.mark.parametrize(("end", "number"), [(processes.ask_to_end, 15), (processes.kill, 9)])
def test_ending(program, end, number) -> None:
    """Asked to end a process gets SIGTERM, killed it gets SIGKILL; one that is gone already is passed over."""
    gone, one = program(), program()
    found = [psutil.Process(gone.pid), psutil.Process(one.pid)]
    gone.end()
    end(found)
    assert one.process.wait(10) == -number
    assert processes.still_running(found) == []


class OfAnotherUser:
    pid = 5

    def terminate(self) -> None:
        raise psutil.AccessDenied(self.pid)

    kill = terminate


@pytest.mark.parametrize("end", [processes.ask_to_end, processes.kill])
def test_ending_a_process_of_another_user(end) -> None:
    """A process that we may not signal is passed over, as one that is gone."""
    end([OfAnotherUser()])


def test_wait_for_a_process_that_is_no_child(program) -> None:
    """Waiting returns when the process is gone, though it need not be a child of ours."""
    parent = program(WITH_A_CHILD_THAT_ENDS)
    child = int(parent.said[0])
    processes.wait(child)
    assert processes.started(child, BOOT) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has descriptors of processes")
def test_a_descriptor_tells_of_the_end(program) -> None:
    """The descriptor of a process can be read when the process has ended, and not before."""
    import select  # poll is not on Windows

    one = program()
    descriptor = processes.descriptor_of(one.pid)
    assert descriptor is not None
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        assert ended.poll(0) == []
        one.process.kill()
        assert ended.poll(10_000) == [(descriptor, select.POLLIN)]
    finally:
        os.close(descriptor)


def test_a_process_without_a_descriptor(program, monkeypatch) -> None:
    """There is none of a process that is gone, where the system has no such thing, or where no descriptor is left."""
    one = program()
    one.end()
    assert processes.descriptor_of(one.pid) is None
    monkeypatch.setattr(sys, "platform", "darwin")
    assert processes.descriptor_of(os.getpid()) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has descriptors of processes")
def test_a_system_that_refuses_descriptors(monkeypatch) -> None:
    """A sandbox that forbids them, or too many open files, is no error: one waits in another way."""

    def refuse(pid: int) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    assert processes.descriptor_of(os.getpid()) is None


class Measured:
    ru_utime, ru_stime, ru_maxrss = 1.25, 0.5000004, 20480


@posix
@pytest.mark.parametrize(("system", "kib"), [("linux", 20480), ("darwin", 20)])
def test_usage(monkeypatch, system, kib) -> None:
    """What a process has used is its CPU time, in its own code and in the system's, and its memory in KiB, on any system."""
    monkeypatch.setattr(sys, "platform", system)
    assert processes.usage_of(Measured()) == (1.75, kib)


def test_marks() -> None:
    """The mark of an attempt names its spool, its job and its number, and the file it is made of: ids are used again."""
    mark = processes.mark("/spool", "x", 2, (255, 10, 4096), "1.2")
    assert mark == "/spool:x:2:ff.1000:1.2"
    assert mark != processes.mark("/spool", "x", 2, (255, 10, 4097), "1.2")
    assert f"SPOOLRUNNER_JOB={mark}".encode().startswith(processes.marks_of("/spool", "x", 2))
    assert not f"SPOOLRUNNER_JOB={mark}".encode().startswith(processes.marks_of("/spool", "x", 20))

    assert processes.is_marked_by(mark, "/spool", "1.2")
    for other in (("/spoo", "1.2"), ("/spool", "1.3"), ("/spool", "2"), ("/spool:x", "1.2.")):
        assert not processes.is_marked_by(mark, *other)


def test_no_mark_marks_nothing(program) -> None:
    """Without a mark nothing is found, not even what has an empty one; with a pid of None neither."""
    program(env={**os.environ, processes.MARK: ""})
    assert processes.tree(None, "") == []


def test_a_home_is_that_of_no_copy(tmp_path) -> None:
    """A folder keeps its home when it is renamed; a copy, and one that was made anew, has another, and none has none."""
    (tmp_path / "a").mkdir()
    first = processes.home(str(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").mkdir()
    assert processes.home(str(tmp_path / "b")) == first
    assert processes.home(str(tmp_path / "a")) != first
    assert processes.home(str(tmp_path / "c")) == ""


@pytest.mark.parametrize(
    ("status", "reason"), [(0, (0, None)), (3, (3, None)), (-9, (None, 9)), (0xC0000005, (0xC0000005, None))]
)
def test_exit_reason(status, reason) -> None:
    """A negative return code is a signal, any other an exit status."""
    assert processes.exit_reason(status) == reason


@pytest.mark.parametrize(("number", "name"), [(int(signal.SIGTERM), "SIGTERM"), (12345, "signal 12345")])
def test_signal_name(number, name) -> None:
    """A signal is called by its name, and by its number when it has none."""
    assert processes.signal_name(number) == name

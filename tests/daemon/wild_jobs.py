"""Jobs that do what no job should; copied as wild.py beside a test's config.json."""

import os
import resource
import shutil
import signal
import subprocess

import spoolrunner

MOST_MEMORY = 300 << 20
"""Bytes: a job without a bound would take the machine with it, and that is the operator's to bound, not ours."""


def note(text):
    """Append a line to wild.txt in the working directory: what the outside world sees of a job."""
    with open("wild.txt", "a") as stream:
        stream.write(f"{text}\n")


def forks_a_daemon(and_stays=False):
    """Leave a process behind that has lost its parent and has a session of its own."""
    job_id = spoolrunner.current_job().id
    script = 'echo $$ > "$0.new" && mv "$0.new" "$0" && exec sleep 60'
    subprocess.run(["setsid", "--fork", "sh", "-c", script, f"{job_id}.pid"], check=True)
    if and_stays:
        signal.pause()


def closes_all_descriptors():
    print("nobody will read this")
    os.closerange(0, 65536)
    return "closed"


def prints_without_end():
    while True:
        print("x" * 1000)


def allocates_without_end():
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))


def ignores_every_signal():
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    note("ignores")
    while True:
        signal.pause()


def stops_itself():
    os.kill(os.getpid(), signal.SIGSTOP)


def removes_its_lock(until=None):
    job_id = spoolrunner.current_job().id
    os.unlink(f"spool/locks/{job_id}.lock")
    note(f"begin {job_id}")
    while until is not None and not os.path.exists(until):
        signal.sigtimedwait([], 0.01)
    note(f"end {job_id}")


def removes_folders(*names):
    for name in names:  # out of the dispatcher's way first: where it goes on writing, nothing can be removed
        os.rename(f"spool/{name}", f"{name}.gone")
        shutil.rmtree(f"{name}.gone")
    note("removed")


def tame():
    return "tame"

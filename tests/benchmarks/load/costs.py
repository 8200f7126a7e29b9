"""What the operations of a job cost by themselves, in microseconds: `costs.py FOLDER MODULE` prints JSON.

Each is done many times in a row by one process, so that nothing else is counted. MODULE is imported before the forks (`-`
for none): what a process has in memory is what its fork costs.
"""

import fcntl
import gc
import json
import os
import resource
import sys
import time

TIMES = 2000
FORKS = 400
SYNCS = 100
DATA = b"x" * 450
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def each(call, times):
    began = time.perf_counter()
    for number in range(times):
        call(number)
    return 1e6 * (time.perf_counter() - began) / times


def create(number):
    descriptor = os.open(f"new-{number}", NEW, 0o600)
    os.write(descriptor, DATA)
    os.close(descriptor)


def read(number):
    descriptor = os.open(f"new-{number}", os.O_RDONLY)
    os.fstat(descriptor)
    os.read(descriptor, 500)
    os.close(descriptor)


def lock(number):
    descriptor = os.open(f"new-{number}", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


def sync(number):
    descriptor = os.open(f"synced-{number}", NEW, 0o600)
    os.write(descriptor, DATA)
    os.fsync(descriptor)
    os.close(descriptor)


def sync_folder(number):
    os.rename(f"synced-{number}", f"moved-{number}")
    descriptor = os.open(".", os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def fork(_):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def copied_pages(pages):
    """Forks that write to so many pages which they share with their parent."""
    shared = bytearray(b"x" * 4096 * pages)

    def fork_and_write(_):
        pid = os.fork()
        if pid == 0:
            for offset in range(0, len(shared), 4096):
                shared[offset] = 0
            os._exit(0)
        os.waitpid(pid, 0)

    return fork_and_write


def main():
    os.chdir(sys.argv[1])
    if sys.argv[2] != "-":
        __import__(sys.argv[2])
    gc.collect()
    gc.freeze()
    gc.disable()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
    costs = {"fork, exit, wait": each(fork, FORKS)}
    faults = (resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt - before) / FORKS
    if sys.argv[2] == "-":
        costs["create, write 450 bytes, close"] = each(create, TIMES)
        costs["open, fstat, read, close"] = each(read, TIMES)
        costs["open, flock, close"] = each(lock, TIMES)
        costs["stat"] = each(lambda number: os.stat(f"new-{number}"), TIMES)
        costs["rename to another folder"] = each(lambda number: os.rename(f"new-{number}", f"there/{number}"), TIMES)
        costs["unlink"] = each(lambda number: os.unlink(f"there/{number}"), TIMES)
        costs["create, write, fsync, close"] = each(sync, SYNCS)
        costs["rename, fsync of the folder"] = each(sync_folder, SYNCS)
        costs["a page copied on its first write"] = (
            each(copied_pages(1000), FORKS // 4) - each(copied_pages(1), FORKS // 4)
        ) / 999
    print(json.dumps({"costs": costs, "faults": faults}))


main()

"""The bare loop: what a job costs when there is nothing but its process and its files. `bare_loop.py FOLDER SLOTS`.

Claim by rename, fork; in the child read, write the record in tmp/, rename it over, exit; wait, move. No dispatcher, no
lock, no log, no sync, no look for new files, and no JSON either: the record is spliced into the bytes. This is the floor
that a dispatcher is held against, so it is made as fast as it can be without being another thing: a plain script with next
to no imports, since what is imported is what a fork costs. Counts in shared memory, which costs no call.
"""

import gc
import mmap
import os
import sys


def attempt(name):
    """One job: the document gets one attempt, and takes the place of what was claimed."""
    claimed = os.open(f"running/{name}", os.O_RDONLY)
    document = os.read(claimed, 65536)
    os.close(claimed)
    made = b',"attempts":[{"number":1,"outcome":"succeeded","pid":%d}]}' % os.getpid()
    staged = os.open(f"tmp/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(staged, document[: document.rindex(b"}")] + made)
    os.close(staged)
    os.rename(f"tmp/{name}", f"running/{name}")


def claim(name):
    os.rename(f"pending/{name}", f"running/{name}")


def settle(name):
    os.rename(f"running/{name}", f"done/{name}")


def loop(folder, slots, claim=claim, attempt=attempt, settle=settle):
    """Go through what is pending, then stay until standard input is closed, so that our CPU time can be read."""
    os.chdir(folder)
    with open("count", "r+b") as stream:
        count = memoryview(mmap.mmap(stream.fileno(), 8)).cast("Q")
    names = iter(sorted(os.listdir("pending")))
    gc.collect()
    gc.freeze()
    gc.disable()
    running = {}
    while True:
        while len(running) < slots and (name := next(names, None)):
            claim(name)
            pid = os.fork()
            if pid == 0:
                attempt(name)
                os._exit(0)
            running[pid] = name
        if not running:
            break
        settle(running.pop(os.wait()[0]))
        count[0] += 1
    sys.stdin.read()


if __name__ == "__main__":
    loop(sys.argv[1], int(sys.argv[2]))

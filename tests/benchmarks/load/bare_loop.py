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


def child(name):
    """One job: the document gets one attempt, and takes the place of what was claimed."""
    claimed = os.open(f"running/{name}", os.O_RDONLY)
    document = os.read(claimed, 65536)
    os.close(claimed)
    attempt = b',"attempts":[{"number":1,"outcome":"succeeded","pid":%d}]}' % os.getpid()
    staged = os.open(f"tmp/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(staged, document[: document.rindex(b"}")] + attempt)
    os.close(staged)
    os.rename(f"tmp/{name}", f"running/{name}")
    os._exit(0)


def main():
    folder, slots = sys.argv[1], int(sys.argv[2])
    os.chdir(folder)
    with open("count", "r+b") as stream:
        count = memoryview(mmap.mmap(stream.fileno(), 8)).cast("Q")
    names = iter(sorted(os.listdir("pending")))
    gc.freeze()
    gc.disable()
    running = {}
    while True:
        while len(running) < slots and (name := next(names, None)):
            os.rename(f"pending/{name}", f"running/{name}")
            pid = os.fork()
            if pid == 0:
                child(name)
            running[pid] = name
        if not running:
            break
        name = running.pop(os.wait()[0])
        os.rename(f"running/{name}", f"done/{name}")
        count[0] += 1
    sys.stdin.read()  # stay, so that our CPU time can be read, until we are told to end


main()

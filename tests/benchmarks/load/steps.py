"""The steps from the bare loop to spoolrunner, each with all that come before it. `steps.py FOLDER SLOTS STEP`.

1. JSON: the document is parsed, and the record is what spoolrunner's is.
2. Locks: a lock file a job, with the marker of the attempt, held by the job's process; removed under the lock at the end.
3. Output: a session, standard streams of its own, and a log that is removed when nothing was printed.
4. Runner: spoolrunner's own code for an attempt, from the lock to the record, rehearsed as its template does.
"""

import os
import sys

import bare_loop


def with_json():
    import orjson

    def attempt(name):
        with_attempt(read(name), name)

    def read(name):
        claimed = os.open(f"running/{name}", os.O_RDONLY)
        document = orjson.loads(os.read(claimed, 65536))
        os.close(claimed)
        return document

    def with_attempt(document, name):
        made = {
            "number": 1,
            "outcome": "succeeded",
            "started_at": "2026-01-01T00:00:00.000Z",
            "ended_at": "2026-01-01T00:00:00.000Z",
            "host": "localhost",
            "pid": os.getpid(),
            "exit_status": 0,
            "max_rss_kib": 10_000,
            "cpu_s": 0.001,
            "verdict": "succeeded",
        }
        document |= {"retries": 0, "attempts": [made]}
        staged = os.open(f"tmp/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(staged, orjson.dumps(document, option=orjson.OPT_INDENT_2))
        os.close(staged)
        os.rename(f"tmp/{name}", f"running/{name}")

    return bare_loop.claim, attempt, bare_loop.settle


def with_locks(claim, attempt, settle):
    import fcntl

    def locked(name):
        lock = os.open(f"locks/{name}", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return lock

    def claim_locked(name):
        lock = locked(name)
        claim(name)
        os.close(lock)

    def attempt_locked(name):
        lock = locked(name)
        inode = os.stat(f"running/{name}").st_ino
        os.write(lock, b'\n{"kind":"start","attempt":1,"inode":%d,"pid":%d}\n' % (inode, os.getpid()))
        attempt(name)

    def settle_locked(name):
        lock = locked(name)
        settle(name)
        os.unlink(f"locks/{name}")
        os.close(lock)

    return claim_locked, attempt_locked, settle_locked


def with_output(claim, attempt, settle):
    def attempt_apart(name):
        os.setsid()
        log = os.open(f"logs/jobs/{name}", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(log, b"--- attempt 1\n")
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        attempt(name)

    def settle_silent(name):
        settle(name)
        if os.stat(f"logs/jobs/{name}").st_size < 20:
            os.unlink(f"logs/jobs/{name}")

    return claim, attempt_apart, settle_silent


def with_runner(folder):
    from spoolrunner.attempt import rehearsal, runner
    from spoolrunner.attempt.callables import resolve
    from spoolrunner.attempt.settings import Settings
    from spoolrunner.protocol.policy import Limits, Policy
    from spoolrunner.spool import locks
    from spoolrunner.spool.paths import Layout
    from spoolrunner.system import machine

    policy = Policy()
    job = "tests.benchmarks.load.jobs", "noop"
    settings = Settings(
        root=folder,
        boot=machine.boot_id(),
        fsync=False,
        max_log_bytes=1 << 30,
        limits=Limits(604800.0, 100),
        python_path=[],
        allowed={job[0]: {job[1]: policy}},
        default_policy=policy,
    )
    layout = Layout(folder)
    callees = {job: resolve(*job)}
    rehearsal.rehearse(settings, layout)

    def claim(name):
        bare_loop.claim(name)

    def attempt(name):
        os.setsid()
        if runner.run(settings, layout, name.removesuffix(".json"), 1, callees) != runner.EXIT_RECORDED:
            os._exit(1)

    def settle(name):
        job_id = name.removesuffix(".json")
        lock = locks.acquire(layout.lock(job_id), 1)
        bare_loop.settle(name)
        os.unlink(lock.path)
        lock.close()
        os.unlink(layout.log(job_id))

    return claim, attempt, settle


def main():
    folder, slots, step = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if step == 4:
        ways = with_runner(folder)
    else:
        ways = with_json()
        for add in (with_locks, with_output)[: step - 1]:
            ways = add(*ways)
    bare_loop.loop(folder, slots, *ways)


main()

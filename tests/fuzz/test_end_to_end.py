"""Strangers and a real dispatcher: every document ends in done/ or failed/, and nothing outside of the spool is touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document
from tests.daemon.harness import Installation, until
from tests.fuzz.grammar import ALLOWED, LIMITS, SEEDS
from tests.fuzz.intruder import SECRET, Intruder, Outside, Rewriter, Swapper
from tests.fuzz.mutation import Mutator, corpus_of

LONG_DOCUMENTS = int(os.environ.get("SPOOLRUNNER_FUZZ_END_TO_END", "10000"))
LONG_SWAPS = int(os.environ.get("SPOOLRUNNER_FUZZ_SWAPS", "20000"))
SEED = 20261124
MAX_PEAK_KIB = 256 << 10
GOOD = [f"good-{number}" for number in range(10)]
LINKED = {
    "linked-valid": b'{"job":"jobs","method":"echo"}',
    "linked-torn": b"{",
    "linked-forbidden": b'{"job":"os","method":"system"}',
}
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_BY_RUNNER = {"attempts", "retries", "result", "replaces", "delay", "next_run_at"}
_REASON_KEYS = {"outcome", "what", "where", "when"}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, pipes and open files of POSIX")


@pytest.fixture
def home(tmp_path):
    """An installation with the jobs of this folder."""
    quick = {"retry_interval": 0.05, "timeout": "20s", "fsync": False, "concurrency": 4}
    made = Installation(tmp_path, allowed_jobs=ALLOWED, **quick, **LIMITS)
    shutil.copy(Path(__file__).with_name("jobs_under_test.py"), tmp_path / "jobs.py")
    yield made
    made.close()


@pytest.fixture
def outside(tmp_path):
    """A folder with somebody else's document."""
    return Outside(tmp_path / "outside")


@contextmanager
def dispatcher(home, patience):
    """A dispatcher that serves what is published within, and good jobs behind it; then it must be well, and nothing wait."""
    daemon = home.start().ready()
    yield
    for job_id in GOOD:
        home.drop(job_id, method="echo", params=["good"])
    until(lambda: is_settled(home), patience)
    status = Path(f"/proc/{daemon.process.pid}/status")
    peak = _PEAK.search(status.read_text()) if status.exists() else None
    assert daemon.stop() == 0
    assert [line for line in daemon.lines if "Traceback" in line] == []
    assert [job_id for job_id in GOOD if home.outcomes("done", job_id) != ["succeeded"]] == []
    assert peak is None or int(peak[1]) < MAX_PEAK_KIB


def waits_on(path):
    """Whether a waiting document is one that waits for a time to come, or for a job that is nowhere."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        checked, _ = document.parse(path.read_bytes())
        status = path.stat()
        waits = checked.after is not None and not checked.attempts
        return waits or document.due_at(checked, status.st_mtime, status.st_ctime, time.time()) > time.time() + 1
    except (FileNotFoundError, JobFormatError):
        return False


def is_settled(home):
    """Whether nothing waits or runs any more; what waits for ever is cancelled."""
    waiting = list((home.spool / "pending").iterdir())
    for path in filter(waits_on, waiting):
        (home.spool / "control" / f"cancel-{path.stem}").touch()
    return not waiting and not os.listdir(home.spool / "running")


def publish_damaged(home, count):
    """Publish so many damaged documents as a stranger does; returns them by id."""
    mutator = Mutator(corpus_of(SEEDS, min(1000, 60 + count // 10)), SEED)
    documents = {f"f{number:05}": mutator.document() for number in range(count)}
    for job_id, data in documents.items():
        home.drop(job_id, data)
    return documents


def problem_with(home, job_id, data):
    """What is wrong with where and how the job ended, or None."""
    where = home.where(job_id)
    if where not in (["done"], ["failed"]):
        return f"is in {where}"
    kept = (home.spool / where[0] / f"{job_id}.json").read_bytes()
    if kept == data:
        has_reason = where == ["failed"] and set(home.reason(job_id)) == _REASON_KEYS
        return None if has_reason else "has neither a reason nor an attempt"
    before, after = json.loads(data), json.loads(kept)
    if len(after["attempts"]) <= len(before.get("attempts") or []):
        # Cancelled while it waited to be tried again: the last verdict was made the final one.
        return None if home.reason(job_id)["outcome"] == "cancelled" else "was changed, and has no attempt more"
    changed = {
        key for key in before.keys() | after.keys() if key not in _BY_RUNNER and before.get(key) != after.get(key)
    }
    return f"lost or changed {changed}" if changed else None


def intrude(home, outside, times):
    """Swap files so many times and, at the same time, rewrite a quarter as many; returns how many there were."""
    tricks = {Swapper(home.spool, outside, SEED).trick: times, Rewriter(home.spool, SEED).trick: times // 4}
    intruders = [Intruder(trick, count) for trick, count in tricks.items()]
    for intruder in intruders:
        intruder.start()
    for intruder in intruders:
        intruder.join()
        assert intruder.error is None
    return sum(intruder.tried for intruder in intruders)


def leaks(home, outside):
    """Where something is that has no business there, and what outside of the spool is not as it was."""
    now = outside.look()
    found = [name for name in outside.before.keys() | now.keys() if outside.before.get(name) != now.get(name)]
    if (home.folder / "forbidden-ran").exists():
        found.append("forbidden-ran")
    paths = (Path(parent) / name for parent, _, names in os.walk(home.spool) for name in names)
    regular = (path for path in paths if stat.S_ISREG(path.lstat().st_mode))
    return found + [str(path) for path in regular if SECRET.encode() in path.read_bytes()]


def silent(home):
    """What lies in failed/ without a reason beside it or an attempt in it."""
    failed = home.spool / "failed"
    unexplained = [path for path in failed.glob("*.json") if not (failed / f"{path.stem}.reason").exists()]
    return [path.name for path in unexplained if not path.is_file() or b'"attempts"' not in path.read_bytes()]


def link_in(home, outside):
    """Give files outside of the spool another name in pending/."""
    for name, data in LINKED.items():
        (outside.folder / name).write_bytes(data)
        os.link(outside.folder / name, home.spool / "pending" / f"{name}.json")


def assert_links_cost_nothing(home, outside):
    """Run or refused, a file that has another name outside keeps its bytes there: a record replaces, it does not write."""
    assert [home.where(name) for name in LINKED] == [["done"], ["failed"], ["failed"]]
    for name, data in LINKED.items():
        path = outside.folder / name
        assert path.read_bytes() == data
        state = home.where(name)[0]
        assert path.samefile(home.spool / state / f"{name}.json") == (state == "failed")
        path.unlink()


def test_strangers_of_all_sorts_at_once(home, outside, tally):
    """A hundred damaged documents, links, pipes, swapped and rewritten files: each ends with a word, none does harm."""
    with dispatcher(home, 30):
        documents = publish_damaged(home, 100)
        link_in(home, outside)
        swapped = intrude(home, outside, 300)
    found = [
        f"{job_id} {problem}" for job_id, data in documents.items() if (problem := problem_with(home, job_id, data))
    ]
    tally.add("documents end to end, short form", len(documents), lost=len(found))
    assert_links_cost_nothing(home, outside)
    leaked = leaks(home, outside)
    tally.add("files changed under the dispatcher's eyes, short form", swapped, lost=len(leaked))
    assert (found[:10], leaked, silent(home)) == ([], [], [])


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_thousand_documents(home, tally):
    """Every damaged document ends in done/ or failed/, with a record or with a reason and its bytes as they were."""
    with dispatcher(home, 60 + LONG_DOCUMENTS / 20):
        documents = publish_damaged(home, LONG_DOCUMENTS)
    found = [
        f"{job_id} {problem}" for job_id, data in documents.items() if (problem := problem_with(home, job_id, data))
    ]
    tally.add("documents end to end", len(documents), lost=len(found))
    assert found[:10] == []
    assert not (home.folder / "forbidden-ran").exists()


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_files_that_change_under_the_dispatchers_eyes(home, outside, tally):
    """Links and pipes in a document's place, and documents rewritten after the look, do no harm however often it is tried."""
    with dispatcher(home, 60 + LONG_SWAPS / 20):
        swapped = intrude(home, outside, LONG_SWAPS)
    leaked = leaks(home, outside)
    tally.add("files changed under the dispatcher's eyes", swapped, lost=len(leaked))
    assert (leaked, silent(home)) == ([], [])


def test_a_leak_is_seen(home, outside):
    """A document of somebody else that got into the spool is found, and one outside that was written to."""
    shutil.copy(outside.secret, home.spool / "done" / "one.json")
    outside.secret.write_bytes(b"other")
    assert leaks(home, outside) == ["secret.json", str(home.spool / "done" / "one.json")]

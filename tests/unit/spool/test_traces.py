"""What lies in a lock file, read: the last whole marker, and what its own process wrote behind it."""

from __future__ import annotations

import json
import os
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.attempt import outcome as call_outcome
from spoolrunner.attempt import returned
from spoolrunner.protocol import document
from spoolrunner.protocol.policy import Policy
from spoolrunner.protocol.states import LEFT_BY_JOBS, Outcome
from spoolrunner.spool import ended_attempt, lock_lines, locks, record, traces
from spoolrunner.spool.jobfile import Stamp
from spoolrunner.spool.lock_lines import CLAIM, START
from spoolrunner.spool.settling_rules import Known
from spoolrunner.spool.traces import NO_TRACES, LeftOutcome, Marker

STARTED = "2027-01-15T07:59:00.000000Z"
ENDED = "2027-01-15T08:00:00.000000Z"
STAMP = Stamp(77, 300, 1_800_000_000_123_456_789)
MARKER = Marker(START, 1, *STAMP, 123, "456-boot", STARTED, 5000.5, imports=True)
PLACED = MARKER._replace(host="box", namespace="4026531836", home="fe01.7")
CLAIMED = Marker(CLAIM, 2, *STAMP)
READY = lock_lines.ready(1, 5001.5)
MADE = LeftOutcome("succeeded", ENDED, result="3")
ERROR = {"type": "ValueError", "message": "no", "traceback": "Traceback"}


def outcome(attempt: int = 1, made: str = "succeeded", ended_at: str = ENDED, **fields: str) -> bytes:
    return lock_lines.outcome(attempt, made, ended_at, fields)


OUTCOME = outcome(result='"3"')


@pytest.fixture
def path(tmp_path) -> str:
    return str(tmp_path / "x.lock")


@pytest.fixture
def lock(path):
    """A lock that is held for the time of the test."""
    held = locks.acquire(path)
    assert held is not None
    yield held
    held.close()


def test_nothing(path, lock) -> None:
    """A new lock file says nothing, and one that is not there neither; looking does not make it."""
    assert traces.of(lock) == traces.peek(path) == NO_TRACES
    assert traces.peek(path + "2") == NO_TRACES
    assert not os.path.exists(path + "2")


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege on Windows")
def test_peek_follows_no_link(path, tmp_path) -> None:
    """A link in the place of a lock file is not read."""
    (tmp_path / "elsewhere").write_bytes(MARKER.line())
    os.symlink(tmp_path / "elsewhere", path)
    with pytest.raises(OSError, match=r"."):
        traces.peek(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
def test_peek_waits_for_nobody(path) -> None:
    """A pipe that a job put in the place of its lock is an error, and holds up nobody who looks."""
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a plain file"):
        traces.peek(path)


def test_under_the_lock_and_without(path, lock) -> None:
    """What one holder left is read by the next, and by who looks without the lock, byte 0 and all."""
    lock.append(MARKER.line())
    lock.append(OUTCOME)
    assert traces.of(lock) == traces.peek(path) == (MARKER, None, MADE)


@pytest.mark.parametrize(
    "marker", [MARKER, MARKER._replace(imports=False), MARKER._replace(began=0.0), PLACED, CLAIMED]
)
def test_a_marker_comes_back(marker) -> None:
    """A marker is read as it was written."""
    assert traces.parse(marker.line()) == (marker, None, None)
    assert marker.is_start is (marker.kind == START)


def test_a_marker_of_an_older_version() -> None:
    """A start marker without the newer keys is one all the same: an upgrade finds jobs that run."""
    line = orjson.dumps({"kind": "start", "attempt": 1, "inode": 77, "pid": 123, "started_at": STARTED})
    assert traces.parse(b"\n" + line + b"\n").marker == Marker(START, 1, 77, pid=123, started_at=STARTED)


@pytest.mark.parametrize("wholly", [True, False])
@pytest.mark.parametrize(
    ("attempts", "inode", "fits"), [(0, 77, True), (1, 77, False), (0, 78, False), (2, 77, False), (1, 78, False)]
)
def test_fits(attempts, inode, fits, wholly) -> None:
    """A marker fits the next attempt of a document in the file that it names, and no other."""
    assert MARKER.fits(attempts, STAMP._replace(inode=inode), wholly=wholly) is fits


@pytest.mark.parametrize("change", [{"size": 299}, {"mtime_ns": 5}])
def test_fits_wholly(change) -> None:
    """Where inodes may have been given out again, size and time of change must be those of the file too; else they need not."""
    stamp = STAMP._replace(**change)
    assert (MARKER.fits(0, stamp, wholly=True), MARKER.fits(0, stamp, wholly=False)) == (False, True)


@pytest.mark.parametrize(
    ("attempts", "change", "fits"),
    [
        (0, {"inode": 78}, True),
        (0, {"inode": 78, "mtime_ns": STAMP.mtime_ns - 999_999_999}, True),
        (0, {"inode": 78, "mtime_ns": STAMP.mtime_ns - 2_000_000_000}, False),
        (0, {"inode": 78, "size": 299}, False),
        (0, {"inode": 78, "mtime_ns": 5}, False),
        (1, {"inode": 78}, False),
    ],
)
def test_fits_a_copy(attempts, change, fits) -> None:
    """In a copied spool a marker fits the next attempt of the file with its size and, as archives keep that, its time."""
    assert MARKER.fits_copy(attempts, STAMP._replace(**change)) is fits


def test_the_last_marker_counts() -> None:
    """Of several markers the last one counts."""
    lines = [MARKER._replace(attempt=attempt).line() for attempt in (1, 2, 3)]
    assert traces.parse(b"".join(lines)).marker == MARKER._replace(attempt=3)


def test_an_import_that_ended() -> None:
    """When the import ended is known as soon as its line is there. The first such line counts: a job may write more of them."""
    assert traces.parse(MARKER.line() + READY) == (MARKER, 5001.5, None)
    assert traces.parse(MARKER.line() + READY + lock_lines.ready(1, 5002.5) + OUTCOME) == (MARKER, 5001.5, MADE)


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({}, LeftOutcome("failed", ENDED)),
        ({"exit_status": "3"}, LeftOutcome("failed", ENDED, exit_status=3)),
        ({"result": '"[1]"'}, LeftOutcome("failed", ENDED, result="[1]")),
        ({"result_dropped": '"too long"'}, LeftOutcome("failed", ENDED, result_dropped="too long")),
        ({"error": orjson.dumps(ERROR).decode()}, LeftOutcome("failed", ENDED, error=ERROR)),
        ({"error": '{"type":"E"}'}, LeftOutcome("failed", ENDED, error={"type": "E"})),
    ],
)
def test_an_outcome(fields, left) -> None:
    """An outcome line is read with all that its process knew to say."""
    assert traces.parse(MARKER.line() + outcome(made="failed", **fields)).outcome == left


@pytest.mark.parametrize("made", sorted(LEFT_BY_JOBS))
def test_outcomes_that_a_process_can_leave(made) -> None:
    """Each outcome that a process can have is taken from it."""
    left = traces.parse(MARKER.line() + outcome(made=made)).outcome
    assert left is not None
    assert left.outcome == made


@pytest.mark.parametrize("made", sorted(set(Outcome) - LEFT_BY_JOBS))
def test_outcomes_that_no_process_can_leave(made) -> None:
    """That it crashed, was interrupted or came too late is not for the process to say."""
    assert traces.parse(MARKER.line() + outcome(made=made)) == (MARKER, None, None)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([OUTCOME], (None, None, None)),
        ([OUTCOME, MARKER.line()], (MARKER, None, None)),
        ([READY, MARKER.line()], (MARKER, None, None)),
        ([MARKER.line(), READY, OUTCOME, CLAIMED.line()], (CLAIMED, None, None)),
        ([CLAIMED.line(), outcome(2)], (CLAIMED, None, None)),
        ([CLAIMED.line(), lock_lines.ready(2, 1.0)], (CLAIMED, None, None)),
        ([MARKER.line(), READY, OUTCOME, MARKER._replace(attempt=2).line()], (MARKER._replace(attempt=2), None, None)),
        ([MARKER.line(), OUTCOME, MARKER.line()], (MARKER, None, None)),
        ([MARKER.line(), outcome(2)], (MARKER, None, None)),
        ([MARKER.line(), lock_lines.ready(2, 1.0)], (MARKER, None, None)),
        ([MARKER.line(), OUTCOME, outcome(2, "failed")], (MARKER, None, MADE)),
        ([MARKER._replace(attempt=2).line(), OUTCOME], (MARKER._replace(attempt=2), None, None)),
    ],
    ids=[
        "an outcome alone",
        "an outcome before its marker",
        "an import that ended before its marker",
        "claimed again after the outcome",
        "an outcome after a claim",
        "an import after a claim",
        "begun again after the outcome",
        "the same attempt begun again",
        "an outcome of another attempt",
        "an import of another attempt",
        "another attempt's outcome behind ours",
        "the outcome of an earlier attempt, late",
    ],
)
def test_what_belongs_to_whom(lines, found) -> None:
    """Only what follows the last marker counts, only if that is a start marker, and only if it names the same attempt."""
    assert traces.parse(b"".join(lines)) == found


def test_the_last_outcome_counts() -> None:
    """Of several outcome lines of an attempt the last whole one counts, and one that is malformed or torn voids none."""
    lines = MARKER.line() + outcome(made="failed") + OUTCOME
    assert traces.parse(lines).outcome == MADE
    assert traces.parse(lines + outcome(made="crashed")).outcome == MADE
    assert traces.parse(lines + outcome(made="failed")[:-1]).outcome == MADE
    assert traces.parse(lines + outcome(made="failed")).outcome == LeftOutcome("failed", ENDED)


TORN = [
    b'{"kind":"start","att',
    b"\n{",
    b"\0\0\0\0",
    b"garbage\n",
    b"[1,2]\n",
    b'{"x":1}\n',
    b"\xff\xfe\n",
    b"5\n",
    b"null\n",
]
ALIEN = [
    b'{"kind":"start"}\n',
    b'{"kind":"start","attempt":2,"inode":77,"colour":"red"}\n',
    b'{"kind":"stop","attempt":2,"inode":77}\n',
    b"[" * 5000 + b"\n",
]


@pytest.mark.parametrize("torn", TORN + ALIEN)
def test_a_torn_line_harms_no_other(torn) -> None:
    """What is no line of ours is passed over, wherever it stands, and what was written after it is read."""
    assert traces.parse(torn + MARKER.line() + torn + READY + torn + OUTCOME + torn) == (MARKER, 5001.5, MADE)


@given(st.integers(0, 600))
def test_cut_anywhere(length) -> None:
    """Of what a power cut left, the whole lines count, and nothing else."""
    whole = [MARKER.line(), READY, OUTCOME, MARKER._replace(attempt=2).line()]
    there = b"".join(whole)[:length]
    count = next(n for n in range(len(whole), -1, -1) if len(b"".join(whole[:n])) <= len(there))
    assert traces.parse(there) == traces.parse(b"".join(whole[:count]))


WHOLE = st.sampled_from([MARKER.line(), CLAIMED.line(), MARKER._replace(inode=7).line(), OUTCOME, READY, b"\n\0\0"])
PARTS = st.tuples(WHOLE, st.integers(0, 300)).map(lambda part: part[0][: part[1]])


@given(st.lists(WHOLE | PARTS, max_size=6), PARTS)
def test_both_readers_agree(lines, last) -> None:
    """Whether an attempt was begun is the same to the next process, which reads no JSON, as to the dispatcher."""
    data = b"".join(lines) + last
    assert lock_lines.is_begun(data, 1, STAMP) is (traces.parse(data).marker == MARKER)


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempt": "1"},
        {"attempt": 1.5},
        {"attempt": True},
        {"attempt": 0},
        {"inode": None},
        {"inode": []},
        {"size": "300"},
        {"size": None},
        {"mtime_ns": 1.5},
        {"pid": "123"},
        {"pid": -1},
        {"pid": 2**63},
        {"process_started": 5},
        {"started_at": 5},
        {"started_at": "yesterday"},
        {"started_at": "2027-99-99T00:00:00Z"},
        {"began": "now"},
        {"began": None},
        {"began": {}},
        {"imports": "yes"},
        {"kind": []},
    ],
)
def test_a_malformed_marker(wrong) -> None:
    """A marker of another shape, which no process of ours wrote, is passed over: nothing is done by what it says."""
    fields = {name: getattr(MARKER, name) for name in MARKER.__slots__}
    line = orjson.dumps({**fields, "attempt": 2, **wrong})
    assert traces.parse(MARKER.line() + b"\n" + line + b"\n") == (MARKER, None, None)


@pytest.mark.parametrize("began", [None, True, 5, "5001.5", [], {}])
def test_a_malformed_end_of_an_import(began) -> None:
    """A line of an ended import without a time with a fraction, as ours has, says nothing."""
    line = orjson.dumps({"kind": "ready", "attempt": 1, "began": began})
    assert traces.parse(MARKER.line() + b"\n" + line + b"\n").ready is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": "splendid"},
        {"outcome": None},
        {"outcome": []},
        {"outcome": {}},
        {"outcome": 5},
        {"ended_at": None},
        {"ended_at": 5},
        {"ended_at": []},
        {"ended_at": "yesterday"},
        {"ended_at": "2027-01-15T08:00:00"},
        {"ended_at": "2027-02-30T08:00:00Z"},
        {"ended_at": "2027-01-15T08:00:00.1234567890123456789Z0"},
        {"result": 3},
        {"result": {"a": 1}},
        {"result_dropped": True},
        {"exit_status": "0"},
        {"exit_status": True},
        {"exit_status": 1.5},
        {"error": "no"},
        {"error": []},
        {"error": {"type": "E", "message": 5}},
        {"error": {"type": "E", "secret": "x"}},
        {"error": {"message": "no type"}},
        {"error": {}},
        {"verdict": "done"},
        {"number": 7},
        {"pid": 1},
    ],
)
def test_a_malformed_outcome(wrong) -> None:
    """An outcome line of another shape is passed over, whatever a job wrote into its lock file; one before it counts."""
    line = orjson.dumps({"kind": "outcome", "attempt": 1, "outcome": "failed", "ended_at": ENDED, **wrong})
    assert traces.parse(MARKER.line() + OUTCOME + b"\n" + line + b"\n") == (MARKER, None, MADE)


@pytest.mark.parametrize("missing", ["outcome", "ended_at"])
def test_an_outcome_without_a_part(missing) -> None:
    """An outcome line that lacks how or when the attempt ended is passed over."""
    line = orjson.dumps({"kind": "outcome", "attempt": 1, "outcome": "failed", "ended_at": ENDED})
    line = re.sub(rb',"%s":"[^"]*"' % missing.encode(), b"", line)
    assert traces.parse(MARKER.line() + b"\n" + line + b"\n") == (MARKER, None, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(st.text(max_size=5), inside, max_size=2),
    max_leaves=4,
)
WORDS = st.sampled_from(
    [*LEFT_BY_JOBS, "crashed", ENDED, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "[1"]
)
ANYTHING = WORDS | JSON


@given(
    st.fixed_dictionaries(
        {"kind": st.just("outcome"), "attempt": st.just(1), "outcome": WORDS, "ended_at": WORDS},
        optional={
            "result": ANYTHING,
            "result_dropped": ANYTHING,
            "exit_status": ANYTHING,
            "error": ANYTHING | st.dictionaries(st.sampled_from(["type", "message", "traceback"]), ANYTHING),
            "attempts": ANYTHING,
        },
    )
    | st.dictionaries(st.sampled_from(["outcome", "ended_at", "result", "error"]), ANYTHING).map(
        lambda fields: {"kind": "outcome", "attempt": 1, **fields}
    )
)
def test_whatever_a_job_wrote_is_recorded(fields) -> None:
    """Whatever a job wrote into its lock file, what is recorded of it is a document that is read again."""
    found = traces.parse(MARKER.line() + b"\n" + orjson.dumps(fields) + b"\n")
    assert found.marker == MARKER
    made, result = ended_attempt.made_of(MARKER, found.outcome, Known(), 1_800_000_000.0)
    raw = {"job": "app.Report", "method": "build"}
    changed, _ = record.add(raw, made, Policy(max_retries=1), 1_800_000_000.0, result)
    document.parse(record.encoded("x", changed))
    assert record.duration(changed["attempts"][0]) is not None


def test_a_line_that_is_far_too_long() -> None:
    """A line that is longer than any of ours is passed over, so that what a job wrote makes no record too long to be read."""
    error = orjson.dumps({"type": "E", "message": "m" * traces.MAX_LINE_BYTES}).decode()
    assert traces.parse(MARKER.line() + OUTCOME + outcome(made="failed", error=error)).outcome == MADE


@pytest.mark.parametrize("character", ["\\", '"', "\x01", "é", "𝄞", "\x7f"])
def test_the_longest_lines_of_ours(character) -> None:
    """The longest result that is kept, and the longest error, come through, whatever they are made of."""
    size = len(json.dumps(character, ensure_ascii=False).encode()) - 2
    result = character * ((returned.MAX_RESULT_BYTES - 2) // size)
    left = traces.parse(MARKER.line() + outcome(**call_outcome.of_return(result, [].append).fields)).outcome
    assert left is not None
    assert left.result is not None
    assert orjson.loads(left.result) == result
    text = character * 2 * call_outcome.MAX_TEXT_BYTES
    failed = call_outcome.failure("failed", text, text, text)
    left = traces.parse(MARKER.line() + outcome(made="failed", **failed.fields)).outcome
    assert left is not None
    assert left.error is not None
    assert all("… cut …" in part for part in left.error.values())

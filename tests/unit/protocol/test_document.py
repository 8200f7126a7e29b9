"""The job document: its fields, their limits, when it is due, and its schema."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import document

LEAST = {"job": "app.Report", "method": "build"}
ATTEMPT = {"number": 1, "outcome": "failed", "verdict": "retry"}
MOMENT = "2026-11-23T17:45:01Z"
WALL = datetime(2026, 11, 23, 17, 45, 1, tzinfo=UTC).timestamp()
FIELDS = {
    "job", "method", "params", "priority", "delay", "next_run_at", "max_retries", "timeout", "expires_at", "meta",
    "created_at", "key", "signature", "after", "group", "attempts", "retries", "result", "replaces",
}  # fmt: skip


def fault_of(**keys) -> JobFormatError:
    """The error that a document with these keys is refused with."""
    with pytest.raises(JobFormatError) as caught:
        document.check({**LEAST, **keys})
    return caught.value


def test_defaults() -> None:
    """Only job and method are needed; params are an empty array, and nothing else is set."""
    checked, raw = document.parse(orjson.dumps(LEAST))
    assert raw == LEAST
    assert (checked.job, checked.method, checked.params, checked.meta, checked.attempts) == (
        *LEAST.values(),
        [],
        {},
        [],
    )
    for name in ("priority", "delay", "next_run_at", "max_retries", "timeout", "expires_at", "retries", "result"):
        assert getattr(checked, name) is None


def test_raw_form_is_kept() -> None:
    """Free data and params come out of parse untouched."""
    whole = {**LEAST, "params": {"a": [1, {"b": None}]}, "meta": {"ticket": "x", "deep": [{}]}}
    checked, raw = document.parse(orjson.dumps(whole))
    assert raw == whole
    assert (checked.params, checked.meta) == (whole["params"], whole["meta"])


@pytest.mark.parametrize("missing", ["job", "method"])
def test_required_keys(missing) -> None:
    """A document without job or method is refused, naming the one that is missing."""
    with pytest.raises(JobFormatError) as caught:
        document.check({key: value for key, value in LEAST.items() if key != missing})
    assert (caught.value.key, caught.value.problem) == (missing, "missing; it is required")


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [("prioritty", "priority"), ("param", "params"), ("next_run", "next_run_at"), ("max_retry", "max_retries")],
)
def test_unknown_key_with_a_near_one(key, suggestion) -> None:
    """A mistyped key is refused with the one that was probably meant."""
    fault = fault_of(**{key: 1})
    assert (fault.key, fault.problem) == (key, f"unknown key (did you mean {suggestion!r}?)")


def test_unknown_key_like_none() -> None:
    """A key that resembles none is refused without a guess."""
    fault = fault_of(zzz=1)
    assert str(fault) == "zzz: unknown key"


def test_all_faults_at_once() -> None:
    """Every faulty key is named in one error, the unknown ones first."""
    with pytest.raises(JobFormatError) as caught:
        document.check({"methd": "x", "job": 1, "priority": "high"})
    assert caught.value.key == "methd"
    for part in ("unknown key (did you mean 'method'?)", "job: expected `str`", "method: missing", "priority: "):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("job", ""),
        ("job", 5),
        ("job", "x" * 501),
        ("method", None),
        ("method", ""),
        ("params", "x"),
        ("params", None),
        ("params", 1),
        ("priority", 1001),
        ("priority", -1001),
        ("priority", 1.5),
        ("priority", "1"),
        ("priority", True),
        ("delay", -1),
        ("delay", "5 minutes"),
        ("delay", "5m\n"),
        ("delay", "3651d"),
        ("delay", True),
        ("timeout", 0),
        ("timeout", "0s"),
        ("timeout", -1),
        ("timeout", "1y"),
        ("max_retries", -1),
        ("max_retries", 1_000_001),
        ("max_retries", 2.5),
        ("next_run_at", "tomorrow"),
        ("next_run_at", 1_800_000_000),
        ("next_run_at", "2026-11-23T17:45:01"),
        ("next_run_at", "2026-11-23"),
        ("expires_at", "2026-11-23T17:45:01"),
        ("created_at", "x"),
        ("key", ""),
        ("key", "a b"),
        ("key", "a\n"),
        ("key", "é"),
        ("key", "x" * 65),
        ("key", 5),
        ("meta", []),
        ("meta", None),
        ("attempts", {}),
        ("attempts", None),
        ("retries", -1),
    ],
)
def test_wrong_values(key, value) -> None:
    """A value of the wrong kind or beyond its limit is refused under its key."""
    assert fault_of(**{key: value}).key == key


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("priority", 1000),
        ("priority", -1000),
        ("delay", 0),
        ("delay", "3650d"),
        ("timeout", 0.1),
        ("timeout", "90s"),
        ("max_retries", 0),
        ("max_retries", 1_000_000),
        ("next_run_at", MOMENT),
        ("expires_at", "2026-11-23T17:45:01.5+01:00"),
        ("params", {}),
        ("params", [1, "a", None]),
        ("job", "x" * 500),
        ("result", {"a": [1]}),
    ],
)
def test_right_values(key, value) -> None:
    """A value at its limit, or in any of its notations, is taken."""
    document.check({**LEAST, key: value})


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("x", 'after: write an array of ids, or {"jobs": [...], "when": "done" or "ended"}'),
        (5, "after: write an array of ids"),
        (["x", "../y", 3], "after[1]: no id, which is 1 to 100"),
        (["x", "../y", 3], "after[2]: expected `str`, got `int`"),
        (["x\n"], "after[0]: 'x\\n' is no id"),
        ({"jobs": ["x"], "when": "failed"}, 'after.when: write "done" or "ended"'),
        ({"jbs": ["x"]}, "after.jbs: unknown key (did you mean 'jobs'?)"),
        ({"jbs": ["x"]}, "after.jobs: missing; it is required"),
    ],
)
def test_wrong_dependencies(after, told) -> None:
    """A wrong `after` is refused under its key, with what is needed."""
    assert told in str(fault_of(after=after))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ([], "done")),
        ({"after": ["a", "b~2"]}, (["a", "b~2"], "done")),
        ({"after": {"jobs": ["a"]}}, (["a"], "done")),
        ({"after": {"jobs": ["a"], "when": "ended"}}, (["a"], "ended")),
    ],
)
def test_dependencies(given, expected) -> None:
    """A document waits for the jobs of its `after`, in either notation; without one for none."""
    found = document.dependencies(document.check({**LEAST, **given}))
    assert (found.jobs, found.when) == expected


@pytest.mark.parametrize("name", ["", ".a", "a.", "a b", "a/b", "a" * 65, "a\n", "é", "a*"])
def test_what_is_no_group(name) -> None:
    """A name that could not end the name of a file is none of a group."""
    fault = fault_of(group=name)
    assert (fault.key, "is no group, which is 1 to 64" in fault.problem) == ("group", True)


@pytest.mark.parametrize(
    ("attempt", "where"),
    [
        ({**ATTEMPT, "number": 2}, "attempts[0].number"),
        ({**ATTEMPT, "number": 0}, "attempts[0].number"),
        ({**ATTEMPT, "outcome": "exploded"}, "attempts[0].outcome"),
        ({**ATTEMPT, "verdict": "maybe"}, "attempts[0].verdict"),
        ({"number": 1, "outcome": "failed"}, "attempts[0].verdict"),
        ({**ATTEMPT, "ended": MOMENT}, "attempts[0].ended"),
        ({**ATTEMPT, "error": {"message": "no type"}}, "attempts[0].error.type"),
        ({**ATTEMPT, "result_dropped": 5}, "attempts[0].result_dropped"),
        ({**ATTEMPT, "started_at": "x"}, "attempts[0].started_at"),
    ],
)
def test_wrong_attempts(attempt, where) -> None:
    """A history that the runner would not have written is refused with the place in it."""
    assert fault_of(attempts=[attempt]).key == where


def test_attempts_count_without_a_gap() -> None:
    """Attempts are numbered from 1 without a gap."""
    second = {**ATTEMPT, "number": 2}
    assert len(document.check({**LEAST, "attempts": [ATTEMPT, second]}).attempts) == 2
    assert fault_of(attempts=[ATTEMPT, {**ATTEMPT, "number": 3}]).key == "attempts[1].number"


def test_a_whole_attempt() -> None:
    """Every fact that the design names of an attempt has its place."""
    whole = {
        **ATTEMPT,
        "started_at": MOMENT,
        "ended_at": MOMENT,
        "exit_status": 1,
        "signal": 9,
        "error": {"type": "ValueError", "message": "m", "traceback": "t"},
        "result_dropped": "set is no JSON",
        "pid": 5,
        "host": "h",
        "max_rss_kib": 1,
        "cpu_s": 0.5,
    }
    assert document.check({**LEAST, "attempts": [whole]}).attempts[0].signal == 9


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text(max_size=8)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
TIMES = st.sampled_from([MOMENT, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30T00:00:00Z"])
KEYS = st.one_of(st.sampled_from(sorted(FIELDS)), st.text(max_size=6))


@given(st.dictionaries(KEYS, st.one_of(JSON, TIMES), max_size=6))
def test_check_never_surprises(keys) -> None:
    """Any object is a checked document that has a due time, or a JobFormatError."""
    try:
        checked = document.check({**LEAST, **keys})
    except JobFormatError:
        return
    assert isinstance(document.due_at(checked, WALL, WALL, WALL), float)


@pytest.mark.parametrize(
    ("keys", "mtime", "came_at", "due"),
    [
        ({}, WALL - 5, WALL - 3, WALL - 3),
        ({}, WALL + 50, WALL - 3, WALL - 3),
        ({}, WALL, WALL + 50, WALL),
        ({"delay": "5m"}, WALL - 5, WALL - 3, WALL + 295),
        ({"delay": 0}, WALL - 5, WALL - 3, WALL - 3),
        ({"next_run_at": "2026-11-23T18:46:01+01:00"}, 0, WALL - 3, WALL + 60),
        ({"next_run_at": MOMENT}, 0, WALL + 50, WALL),
    ],
)
def test_due_at(keys, mtime, came_at, due) -> None:
    """A job is due at its next_run_at, or its delay after the file's mtime, or since it came, but never later than now."""
    assert document.due_at(document.check({**LEAST, **keys}), mtime, came_at, WALL) == due


@pytest.mark.parametrize("keys", [{}, {"delay": 1}, {"next_run_at": "1970-01-01T00:00:00Z"}])
def test_nobody_has_waited_longer_than_his_file_lies_there(keys) -> None:
    """Whatever time a producer gives his file, or writes into it, he is not ahead of those who came before him."""
    assert document.due_at(document.check({**LEAST, **keys}), 0.0, WALL - 3, WALL) == WALL - 3


def test_due_at_with_both() -> None:
    """A job with a delay and a next_run_at waits for the later of the two, since it may run before neither."""
    both = document.check({**LEAST, "next_run_at": MOMENT, "delay": "1h"})
    assert document.due_at(both, WALL, WALL, WALL) == WALL + 3600


def test_schema() -> None:
    """The schema is JSON, requires job and method, has every field of the design, and allows no other."""
    made = document.schema()
    shape = made["$defs"]["Document"]
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["$ref"] == "#/$defs/Document"
    assert set(shape["properties"]) == FIELDS
    assert shape["required"] == ["job", "method"]
    assert shape["additionalProperties"] is False
    assert orjson.loads(orjson.dumps(made)) == made


@pytest.mark.parametrize("key", ["next_run_at", "expires_at", "created_at"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("2026-11-23T17:45:01", "'2026-11-23T17:45:01' has no offset from UTC; write 2026-11-23T17:45:01Z"),
        ("tomorrow", "'tomorrow' is no RFC 3339 time; write 2026-11-23T17:45:01Z"),
        ("2026-11-23", "'2026-11-23' is no RFC 3339 time; write 2026-11-23T17:45:01Z"),
        (17, "'17' is no RFC 3339 time; write 2026-11-23T17:45:01Z"),
    ],
)
def test_a_time_that_is_none_is_answered_with_one(key, value, problem) -> None:
    """The error says what is missing, and how a time is written."""
    with pytest.raises(JobFormatError) as caught:
        document.check({"job": "a", "method": "b", key: value})
    assert str(caught.value) == f"{key}: {problem}"


def large(attempts: bytes, **keys) -> bytes:
    """A document with these attempts, as they stand there, and these keys."""
    return orjson.dumps({**LEAST, **keys})[:-1] + b',"attempts":' + attempts + b"}"


HISTORY = orjson.dumps([{**ATTEMPT, "number": number, "host": "h" * 1000} for number in range(1, 1101)])


def test_a_history_may_be_larger_than_what_a_producer_writes() -> None:
    """What counts is what is not the history: with that it may have 8 MiB."""
    checked, raw = document.parse(large(HISTORY, params=["p" * 1_000_000], result="r" * 60_000))
    assert (len(checked.attempts), len(raw["params"][0]), len(raw["result"])) == (1100, 1_000_000, 60_000)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (large(b"[]", params=["p" * 1_100_000]), "^1100063 bytes; a job document has at most 1048576$"),
        (large(HISTORY, params=["p" * 1_100_000]), "bytes beside its attempts and result; a job"),
        (large(HISTORY)[:-1] + b" " * 1_100_000 + b"}", "bytes beside its attempts and result; a job"),
        (large(HISTORY)[:-1] + b',"attempts":[]}', "bytes; a job document has at most"),
        (large(HISTORY, result="r" * 300_000), "result: 300002 bytes; a result has at most 262144"),
        (large(b"[" + b"0," * 600_000 + b"0]"), "attempts: Expected `object`, got `int`"),
        (large(b"[" + b"[" * 1_100_000), "not valid UTF-8 JSON of a job"),
        (large(orjson.dumps([ATTEMPT] * 100_001)), "attempts: Expected `array` of length <= 100000"),
        (b"[" * 1_100_000, "not valid UTF-8 JSON of a job"),
        (b'{"params":' + b"[" * 1_100_000, "not valid UTF-8 JSON of a job"),
        (b" " * 9_000_000, "more than 8388608 bytes"),
    ],
)
def test_large_documents_that_are_no_history(data, problem) -> None:
    """A document of more than 1 MiB that is so for anything but a history of ours is refused, whatever attempts it brings."""
    with pytest.raises(JobFormatError, match=problem):
        document.parse(data)


def test_numbers_that_grow_when_they_are_written_again() -> None:
    """A document whose numbers we would write longer than a producer may write is refused before it runs, not at its record."""
    shortest = ",".join(["1e15"] * 60_000)
    with pytest.raises(JobFormatError, match="1140048 bytes, with its numbers written out in full; a job document has"):
        document.parse(f'{{"job":"app.Report","method":"build","params":[{shortest}]}}'.encode())


def test_as_many_attempts_as_a_document_holds() -> None:
    """A document with the most attempts that a record may have is read, and none with one more."""
    most = [{**ATTEMPT, "number": number} for number in range(1, document.MAX_ATTEMPTS + 1)]
    checked, _ = document.parse(large(orjson.dumps(most)))
    assert len(checked.attempts) == document.MAX_ATTEMPTS
    assert "length <= 100000" in str(fault_of(attempts=[*most, {**ATTEMPT, "number": document.MAX_ATTEMPTS + 1}]))

"""Job documents and configurations near the valid ones, as Hypothesis strategies: mostly right, wrong in one place or two."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

JOBS = {"jobs": ["echo", "add", "pair", "fail"], "jobs.Sum": ["up"]}
"""The whitelist under which the documents are looked at."""
ALLOWED = {job: {method: {"max_retries": 1} for method in methods} for job, methods in JOBS.items()}
LIMITS = {"max_retries_limit": 3, "timeout_limit": "1h"}

TEXTS = st.one_of(
    st.sampled_from(["", "x", "jobs", "echo", "é", "\x00", "\x1b[31m", "\u2028", "a" * 600, "../../etc/passwd"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
NUMBERS = st.one_of(
    st.integers(-3, 5),
    st.sampled_from([2**63, 2**64 - 1, -(2**63), 2**53 + 1, 10**18, 1e308, -1e-308, 0.1, -0.0]),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
DURATIONS = st.one_of(
    st.sampled_from([0, 1, 0.5, "1s", "0.2s", "5m", "2h", "1d", 30]),
    st.sampled_from(["", "s", "1", "1 s", "-1s", "1e3s", "1w", "99999d", "٣s", -1, 1e300, 10**40, True, "1s\n"]),
)
TIMES = st.one_of(
    st.sampled_from(["2026-11-23T17:45:01Z", "2026-11-23T17:45:01.5+02:00", "2000-01-01t00:00:00z"]),
    st.sampled_from(["2026-11-23", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2026-02-30T00:00:00Z", "now"]),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
)
NAMES = st.sampled_from([(job, method) for job, methods in JOBS.items() for method in methods])
STRANGE_NAMES = st.sampled_from(
    [("jobs", "forbidden"), ("jobs", "__init__"), ("os", "system"),
     ("jobs.Sum", "echo"), ("", ""), ("jobs ", "echo"), (1, None)]
)  # fmt: skip
_OUTCOMES = ["succeeded", "failed", "crashed", "interrupted", "timed_out", "cancelled", "rejected", "lost", 1]
ATTEMPTS = st.lists(
    st.fixed_dictionaries(
        {"outcome": st.sampled_from(_OUTCOMES), "verdict": st.sampled_from(["done", "retry", "failed", "retry", "no"])},
        optional={"started_at": TIMES, "pid": NUMBERS, "error": VALUES, "x": SCALARS, "cpu_s": NUMBERS},
    ),
    max_size=4,
).map(lambda made: [{"number": number, **attempt} for number, attempt in enumerate(made, 1)])

IDS = (
    st.sampled_from(["d0", "a", "a~2", "x" * 100]) | st.sampled_from(["", "a/b", "a\n", ".a", "a~", "x" * 101]) | TEXTS
)
GROUPS = st.sampled_from(["mail", "customer.42", "x" * 64, "a b", "a.", "a\n", "", "x" * 65, "con"]) | TEXTS
AFTER = st.one_of(
    st.lists(IDS, max_size=4),
    st.fixed_dictionaries(
        {},
        optional={
            "jobs": st.lists(IDS, max_size=3),
            "when": st.sampled_from(["done", "ended", "failed"]),
            "x": SCALARS,
        },
    ),
    SCALARS,
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "after": AFTER,
    "group": GROUPS,
    "params": st.lists(VALUES, max_size=4) | st.dictionaries(TEXTS, VALUES, max_size=3),
    "priority": st.integers(-1001, 1001),
    "delay": DURATIONS,
    "next_run_at": TIMES,
    "max_retries": st.integers(-1, 5),
    "timeout": DURATIONS,
    "expires_at": TIMES,
    "meta": st.dictionaries(TEXTS, VALUES, max_size=3),
    "created_at": TIMES,
    "key": st.sampled_from(["7f3a9c", "a_-Z9" * 12, "", "a b", "x" * 65, "é", "a\n"]) | SCALARS,
    "attempts": ATTEMPTS,
    "retries": st.integers(-1, 3),
    "result": VALUES,
    "replaces": st.lists(st.lists(st.integers(-1, 2**63), min_size=2, max_size=3), max_size=2),
}
VALID_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "params": st.lists(VALUES, max_size=4),
    "priority": st.integers(-1000, 1000),
    "delay": st.sampled_from([0, 1.5, "0.2s", "3d"]),
    "next_run_at": st.sampled_from(["2026-11-23T17:45:01Z", "2026-11-23T17:45:01.5+02:00"]),
    "max_retries": st.integers(0, 3),
    "timeout": st.sampled_from([1, 0.5, "1s", "60m"]),
    "expires_at": st.just("2100-01-01T00:00:00Z"),
    "meta": st.dictionaries(TEXTS, VALUES, max_size=3),
    "key": st.sampled_from(["7f3a9c", "a_-Z9" * 12]),
    "after": st.lists(st.sampled_from(["a", "b~2"]), max_size=3)
    | st.fixed_dictionaries({"jobs": st.just(["a"]), "when": st.sampled_from(["done", "ended"])}),
    "group": st.sampled_from(["mail", "customer.42"]),
}


def _in_fields(names: dict[str, None]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({name: FIELDS[name] for name in names})


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    """A document as an object: names mostly from the whitelist, fields mostly right."""
    job, method = draw(st.one_of(NAMES, NAMES, NAMES, STRANGE_NAMES))
    made = {"job": job, "method": method, **draw(st.fixed_dictionaries({}, optional=VALID_FIELDS))}
    made |= draw(st.dictionaries(st.sampled_from(list(FIELDS)), st.none(), max_size=2).flatmap(_in_fields))
    twist = draw(st.integers(0, 9))
    if twist == 0:
        made[draw(st.sampled_from([*FIELDS, "job", "method"]))] = draw(VALUES)
    elif twist == 1:
        made[draw(st.sampled_from(["metod", "Job", "param", "", "job\x00", "attempt"]) | TEXTS)] = draw(VALUES)
    elif twist == 2:
        made.pop(draw(st.sampled_from(["job", "method"])))
    return made


@st.composite
def valid_objects(draw: st.DrawFn) -> dict[str, Any]:
    """A document that must be taken: JSON numbers within 64 bits, names and fields as documented."""
    made = {"job": "jobs", "method": "echo", **draw(st.fixed_dictionaries({}, optional=VALID_FIELDS))}
    return json.loads(json.dumps(made))


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """The bytes of a document: as JSON, with duplicate keys, odd blanks, a byte order mark, or cut."""
    made = draw(objects() | VALUES)
    data = json.dumps(made, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))).encode()
    twist = draw(st.integers(0, 14))
    if twist == 0:
        data = data[: draw(st.integers(0, len(data)))]
    elif twist == 1:
        data = draw(st.sampled_from([b"\xef\xbb\xbf", b"\x00", b" \n\t", b"[", b"\xff\xfe"])) + data
    elif twist == 2:
        data += draw(st.sampled_from([b"\n", b"\x00", b"}", b" {}", b",", b"\xff"]))
    elif twist == 3 and data.startswith(b"{"):
        data = b'{"job":"os","job":"jobs","meta":{},' + data[1:]
    elif twist == 4:
        data = data.replace(
            b"1", draw(st.sampled_from([b"NaN", b"1e999", b"-0", b"1" * 400, b"01", b"Infinity", b"1."]))
        )
    return data


DEEP = st.integers(50, 1100).flatmap(
    lambda depth: st.sampled_from([(b"[", b"]"), (b'{"a":', b"}")]).map(
        lambda pair: b'{"job":"jobs","method":"echo","meta":{"x":' + pair[0] * depth + b"1" + pair[1] * depth + b"}}"
    )
)
VALID = valid_objects().map(lambda made: json.dumps(made).encode())
SEEDS = st.one_of(VALID, VALID, objects().map(lambda made: json.dumps(made).encode()), documents(), DEEP)
"""What damaged documents are made of: most of these are JSON, and half would be taken."""
DOCUMENTS = st.one_of(documents(), documents(), VALID, VALID, st.binary(max_size=60), DEEP)

EXCEPTIONS = SCALARS | st.lists(
    st.sampled_from(["ValueError", "OSError", "app.Error", "len", "", ".", "a b", "json.JSONDecodeError"]) | SCALARS,
    max_size=3,
)
ENTRIES = SCALARS | st.sampled_from(["jobs.echo", "echo", "jobs.", ".echo", "", ".", "jobs.ehco", "a.b.c"])
FAILURES: dict[str, st.SearchStrategy[Any]] = {"retry_on": EXCEPTIONS, "discard_on": EXCEPTIONS, "on_failure": ENTRIES}
SIZES = st.sampled_from([1 << 20, "64M", "1G", "0", "1T", "9" * 30 + "G", "m", "1.5G", -1, 1e300, True, "64M\n"])
_WORDS = (
    st.sampled_from(["ls", "{x}", "--y={y}", "-v", "", "{", "{{}}", "{x}{y}", "./a b", "~/a", "{x", "a\x00"]) | TEXTS
)
_PARAMETER_NAMES = st.sampled_from(["x", "y", "x ", ""]) | TEXTS
_COMMANDS = st.fixed_dictionaries(
    {"argv": st.lists(_WORDS | st.lists(_WORDS, max_size=2), max_size=4) | SCALARS},
    optional={
        "types": st.dictionaries(
            _PARAMETER_NAMES,
            st.sampled_from(["string", "integer", "boolean", "strings", "number", "int"]) | SCALARS,
            max_size=2,
        ),
        "allow_options": st.lists(_PARAMETER_NAMES, max_size=2) | SCALARS,
        "result": st.sampled_from(["text", "json", "none", "xml"]),
        "sandbox": st.dictionaries(
            st.sampled_from(["read", "write", "network", "reed"]), st.lists(TEXTS, max_size=2) | SCALARS, max_size=3
        ),
        "timeout": DURATIONS,
    },
)
_POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "memory": SIZES,
        "cpu_time": DURATIONS,
        "open_files": NUMBERS,
        "no_new_privileges": st.booleans(),
        "timeout": DURATIONS,
        "max_retries": NUMBERS,
        "retry_interval": DURATIONS,
        "on_crash": st.sampled_from(["retry", "fail", "ignore"]),
        **FAILURES,
        "concurrency": NUMBERS,
        "priority": NUMBERS,
        "group": GROUPS,
        "tries": NUMBERS,
    },
)
_JOB_NAMES = (
    st.sampled_from(["jobs", "app.Report", "a.b.c", "", ".", "a..b", "1a", "os", "é.ü", "a b", "a\x00"]) | TEXTS
)
_METHOD_NAMES = st.sampled_from(["build", "_private", "", "a.b", "ok2", "__call__", "ﬁ"]) | TEXTS
WHITELISTS = st.dictionaries(
    _JOB_NAMES,
    st.one_of(
        st.lists(_METHOD_NAMES, max_size=3),
        st.dictionaries(_METHOD_NAMES, _POLICIES | _COMMANDS | VALUES, max_size=3),
        VALUES,
    ),
    max_size=3,
)
SCHEDULES = st.dictionaries(
    st.sampled_from(["nightly", "Nightly", "con", "a" * 81, "", "a.", "x.y"]) | TEXTS,
    st.fixed_dictionaries(
        {"job": _JOB_NAMES, "method": _METHOD_NAMES},
        optional={
            "cron": st.sampled_from(["0 3 * * *", "@daily", "*/5 * * * MON#2", "61 * * * *", "* * * *", "L * * * *"]) | TEXTS,
            "every": DURATIONS,
            "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Europe", "../x"]) | TEXTS,
            "params": VALUES,
            "catch_up": st.sampled_from(["skip", "once", "all"]),
            "catch_up_within": DURATIONS,
            "overlap": st.sampled_from(["skip", "queue", 1]),
            "jitter": DURATIONS,
            "crom": SCALARS,
        },
    )
    | VALUES,
    max_size=2,
)  # fmt: skip
_DURATION_KEYS = (
    "retry_interval", "retry_max_interval", "timeout", "timeout_limit", "kill_grace", "stop_grace",
    "priority_aging", "keep_history",
)  # fmt: skip
_KEPT = DURATIONS | st.fixed_dictionaries({}, optional={"age": DURATIONS, "count": NUMBERS, "size": NUMBERS})
_FUNCTIONS = st.sampled_from(["app.worker.setup", "setup", "app._setup", "app.setup()", ".", ""]) | TEXTS | SCALARS
RATES = (
    st.sampled_from(["100/m", "5/10s", "1/d", "0/m", "1/0s", "1/w", "m", "1/m\n", "9" * 12 + "/m", "1/99999d"]) | TEXTS
)
LIMIT_NAMES = st.sampled_from(["mail", "customer.*", "*", "a*b", "**", "", "a.", "a b*"]) | TEXTS
LIMITS_BY_GROUP = st.dictionaries(
    LIMIT_NAMES,
    st.fixed_dictionaries({}, optional={"concurrency": NUMBERS, "rate": RATES | SCALARS, "rates": RATES}) | VALUES,
    max_size=3,
)
CONFIG_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(_DURATION_KEYS, DURATIONS),
    "auto_prune": st.booleans() | SCALARS,
    "keep_done": _KEPT,
    "keep_failed": _KEPT,
    "spool": TEXTS,
    "environment": st.dictionaries(TEXTS, TEXTS | SCALARS, max_size=2),
    "inherit_environment": st.booleans() | st.lists(TEXTS, max_size=2) | SCALARS,
    "signing_key": TEXTS,
    "memory": SIZES,
    "cpu_time": DURATIONS,
    "open_files": NUMBERS,
    "no_new_privileges": st.booleans(),
    "python_binary": TEXTS | st.none(),
    "python_path": st.lists(TEXTS, max_size=3),
    "concurrency": NUMBERS,
    "limits": LIMITS_BY_GROUP,
    "max_retries": NUMBERS,
    "max_retries_limit": NUMBERS,
    "retry_backoff": st.sampled_from(["exponential", "fixed", "linear"]),
    "retry_jitter": NUMBERS,
    "on_crash": st.sampled_from(["retry", "fail", "ignore"]),
    **FAILURES,
    "max_log_bytes": NUMBERS,
    "fsync": st.booleans() | SCALARS,
    "executor": st.sampled_from(["auto", "fork", "spawn", "thread"]),
    "preload": st.booleans() | SCALARS,
    "setup": st.dictionaries(st.sampled_from(["template", "process", "proces"]), _FUNCTIONS, max_size=2) | SCALARS,
    "around": _FUNCTIONS,
    "schedules": SCHEDULES | VALUES,
}


@st.composite
def configs(draw: st.DrawFn) -> Any:
    """config.json as a value: keys and values mostly right."""
    made = {"allowed_jobs": draw(WHITELISTS), **draw(st.fixed_dictionaries({}, optional=CONFIG_FIELDS))}
    twist = draw(st.integers(0, 9))
    if twist == 0:
        made[draw(st.sampled_from([*CONFIG_FIELDS, "allowed_jobs"]))] = draw(VALUES)
    elif twist == 1:
        made[draw(TEXTS)] = draw(VALUES)
    elif twist == 2:
        return draw(VALUES)
    return made


CONFIGS = configs()

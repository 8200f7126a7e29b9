"""From what a call returned or raised to what its process leaves of it, as the dispatcher reads that."""

from __future__ import annotations

import json
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner import Retry
from spoolrunner.attempt import binding, callables, outcome
from spoolrunner.attempt.binding import Callee
from spoolrunner.attempt.outcome import MAX_TEXT_BYTES, CallOutcome
from spoolrunner.attempt.returned import MAX_RESULT_BYTES
from spoolrunner.errors import NotAllowedError
from spoolrunner.protocol import document, jsontext
from spoolrunner.protocol.states import Outcome
from spoolrunner.spool import lock_lines, record, traces
from spoolrunner.spool.traces import LeftOutcome

NOW = "2026-11-23T17:45:01Z"
Pair = namedtuple("Pair", "left right")  # noqa: PYI024 -- as jobs make them
ANY_TEXT = st.text(st.characters(), max_size=200)  # lone surrogates included


class Numbered(IntEnum):
    FIVE = 5


class Colour(StrEnum):
    RED = "red"


class Plain(Enum):
    ONE = 1


@dataclass
class Point:
    x: int


class Text(str):
    """A text that says something else when it is asked."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another"


class UnstringedError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class NotEvenAStringError(Exception):
    def __str__(self) -> str:
        return 5  # noqa: PLE0307 -- as it may come


class LeavingError(Exception):
    def __str__(self) -> str:
        raise SystemExit(0)


class HostileList(list):
    def __iter__(self):
        raise UnstringedError


class HostileDict(dict):
    def items(self):
        raise UnstringedError


def left(made: CallOutcome) -> LeftOutcome:
    """What the dispatcher reads of it, from the lock file."""
    marker = lock_lines.start(1, (5, 6, 7), 8, "s", NOW, 1.5, imports=False)
    found = traces.parse(marker + lock_lines.outcome(1, made.outcome, NOW, made.fields)).outcome
    assert found is not None
    assert (found.outcome, found.ended_at) == (made.outcome, NOW)
    return found


def of_return(result: object) -> CallOutcome:
    """What a call that returned this came to."""
    return outcome.of_return(result, [].append)


def of_error(error: BaseException, stopped: str | None) -> CallOutcome:
    """What a call that raised this came to."""
    return outcome.of_error(error, stopped, [].append)


def raised(error: BaseException) -> BaseException:
    """The error with a traceback, as a call leaves it."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@pytest.mark.parametrize("code", [None, 0])
@pytest.mark.parametrize(
    ("stopped", "expected"), [(None, "succeeded"), ("cancelled", "cancelled"), ("timed_out", "succeeded")]
)
def test_a_clean_exit(code, stopped, expected) -> None:
    """An exit with 0 is a success, also after the deadline, but not when a cancel was asked for."""
    assert left(of_error(SystemExit(code), stopped)) == LeftOutcome(expected, NOW)


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [(3, 3, "3"), (True, 1, "True"), ("sorry", 1, "sorry"), ([], 1, "[]"), (1.0, 1, "1.0")],
)
@pytest.mark.parametrize("stopped", [None, "cancelled", "timed_out"])
def test_an_exit_with_another_status(code, status, message, stopped) -> None:
    """Any other exit failed, unless we ended it; its status is the number, or 1 as an interpreter's would be."""
    error = {"type": "SystemExit", "message": message}
    found = left(of_error(SystemExit(code), stopped))
    assert found == LeftOutcome(stopped or "failed", NOW, error, exit_status=status, bases=["BaseException"])


@pytest.mark.parametrize(
    "code",
    [
        True,
        -1,
        255,
        300,
        2**31,
        2**70,
        -(2**70),
        pytest.param(10**5000, id="huge"),
        Numbered.FIVE,
        "",
        [],
        1.5,
        UnstringedError(),
    ],
)
def test_a_status_can_be_recorded(code) -> None:
    """Whatever a job exits with, its record is one that our own check accepts."""
    found = left(of_error(SystemExit(code), None))
    fields = record.attempt(1, Outcome(found.outcome), NOW, 1.0, exit_status=found.exit_status, error=found.error)
    raw = {"job": "a", "method": "b", "attempts": [{**fields, "verdict": "retry"}]}
    assert document.parse(jsontext.encode(raw))[0].attempts[0].exit_status == found.exit_status
    assert type(found.exit_status) is int
    assert -(2**31) <= found.exit_status < 2**31


def test_an_exception() -> None:
    """An exception is left with type, message and traceback, and stands in the job's output."""
    made = of_error(raised(ValueError("no such thing")), None)
    found = left(made)
    assert (found.outcome, found.result) == ("failed", None)
    assert (found.error["type"], found.error["message"]) == ("ValueError", "no such thing")
    assert found.error["traceback"].startswith("Traceback (most recent call last):\n")
    assert found.error["traceback"].endswith("\nValueError: no such thing\n")
    assert made.note == "the attempt failed\n" + found.error["traceback"].rstrip()


def test_a_traceback_has_no_colours(monkeypatch) -> None:
    """The traceback is plain text, whatever the environment asks of what is printed on a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("PYTHON_COLORS", "1")
    found = left(of_error(raised(ValueError("no such thing")), None))
    assert "\x1b" not in found.error["traceback"]


def test_standard_error_is_as_it_was() -> None:
    """The traceback is made by way of standard error, which then is what it was."""
    before = sys.stderr
    of_error(raised(ValueError("x")), None)
    assert sys.stderr is before


@pytest.mark.parametrize("stopped", ["cancelled", "timed_out"])
def test_an_exception_of_a_call_that_we_ended(stopped) -> None:
    """An exception after a cancel or the deadline has that outcome, and keeps its error."""
    found = left(of_error(raised(KeyboardInterrupt()), stopped))
    assert (found.outcome, found.error["type"]) == (stopped, "KeyboardInterrupt")


def test_the_type_of_an_error_of_a_module() -> None:
    """The type of an error is named with its module, unless it is built in."""
    found = left(of_error(raised(UnstringedError()), None))
    assert found.error["type"] == f"{__name__}.UnstringedError"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UnstringedError(), "(its text cannot be had: RuntimeError)"),
        (NotEvenAStringError(), "(its text cannot be had: TypeError)"),
        (LeavingError(), "(its text cannot be had: SystemExit)"),
        (ValueError(), None),
        (ValueError(Text("one")), "another"),
        (KeyError("key"), "'key'"),
        (ValueError("\ud800 \0 \x1b[31m"), "\\ud800 \0 \x1b[31m"),
        (ValueError('"}\n{"kind":"claim"}\n'), '"}\n{"kind":"claim"}\n'),
    ],
)
def test_the_text_of_an_error(error, message) -> None:
    """An error has its own text, or a word why it has none; no text can end the line that it is written in."""
    assert left(of_error(raised(error), None)).error.get("message") == message


@given(ANY_TEXT, st.text(st.characters(), max_size=20))
def test_any_error_can_be_read(message, kind) -> None:
    """Whatever an error says, it is read back as it was, but for lone surrogates, which become their escapes."""
    found = left(outcome.failure("failed", kind, message, message))
    readable = message.encode("utf-8", "backslashreplace").decode()
    assert found.error["type"] == kind.encode("utf-8", "backslashreplace").decode()
    assert (found.error.get("message", ""), found.error.get("traceback", "")) == (readable, readable)


def test_causes_and_groups_are_part_of_the_traceback() -> None:
    """What an error came from, what it holds, and what was noted on it stand in the traceback, as Python prints it."""
    error = ExceptionGroup("several", [ValueError("first"), KeyError("second")])
    error.add_note("a note")
    error.__cause__ = OSError(28, "No space left on device")
    text = left(of_error(raised(error), None)).error["traceback"]
    for part in ("several", "ValueError: first", "KeyError: 'second'", "a note", "No space left", "direct cause"):
        assert part in text


def test_our_own_frames_are_left_out() -> None:
    """The traceback begins in the user's code, not in ours, and is whole when there is none of his."""

    def fail() -> None:
        raise ValueError("deep")

    with pytest.raises(ValueError, match="deep") as caught:
        Callee("fail", fail, None).call([])
    found = left(of_error(caught.value.with_traceback(caught.tb.tb_next), None))
    assert binding.__file__ not in found.error["traceback"]
    assert "in fail" in found.error["traceback"]
    with pytest.raises(NotAllowedError) as refused:
        callables.resolve("sys", "no_such_function")
    found = left(of_error(refused.value.with_traceback(refused.tb.tb_next), None))
    assert callables.__file__ in found.error["traceback"]


@pytest.mark.parametrize("letter", ["x", "ü", "€", "𝄞", "\ud800"])
def test_a_long_error_is_cut(letter) -> None:
    """The texts of an error are cut to their limit, with both ends kept, and no letter is cut in two."""
    found = left(of_error(raised(ValueError("a" + letter * 100_000 + "z")), None))
    for text, first, last in (
        (found.error["message"], "a", "z"),
        (found.error["traceback"], "Traceback", "z\n"),
    ):
        assert MAX_TEXT_BYTES - 50 <= len(text.encode()) <= MAX_TEXT_BYTES
        assert text.startswith(first)
        assert text.endswith(last)
        assert text.count("… cut …") == 1


@pytest.mark.parametrize("letter", ["x", "ü"])
def test_an_error_that_is_just_short_enough(letter) -> None:
    """A text of exactly the limit is left as it is, and one letter more is not."""
    text = letter * (MAX_TEXT_BYTES // len(letter.encode()))
    assert left(outcome.failure("failed", "E", text)).error["message"] == text
    assert left(outcome.failure("failed", "E", f"{text}{letter}")).error["message"] != text


def nested(levels: int) -> list:
    """A list in lists."""
    made: list = []
    for _ in range(levels - 1):
        made = [made]
    return made


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        (0, 0),
        (False, False),
        (True, True),
        (-(2**63), -(2**63)),
        (2**64 - 1, 2**64 - 1),
        (1.5, 1.5),
        (1e300, 1e300),
        ("", ""),
        ("plain", "plain"),
        ('"\\\n\0', '"\\\n\0'),
        ("ü€𝄞\u2028\x7f", "ü€𝄞\u2028\x7f"),
        (Text("one"), "one"),
        ("x" * (MAX_RESULT_BYTES - 2), "x" * (MAX_RESULT_BYTES - 2)),
        ([1, (2, None)], [1, [2, None]]),
        ({"a": {"b": []}}, {"a": {"b": []}}),
        ({2: "a", 1.5: "b", None: "c", True: "d"}, {"2": "a", "1.5": "b", "null": "c", "true": "d"}),
        (Pair(1, "b"), [1, "b"]),
        ([Pair(1, Pair(2, 3))], [[1, [2, 3]]]),
        (Counter("aab"), {"a": 2, "b": 1}),
        (defaultdict(list, {"a": [1]}), {"a": [1]}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (Colour.RED, "red"),
        ({Colour.RED: Colour.RED}, {"red": "red"}),
        (Numbered.FIVE, 5),
        (nested(63), nested(63)),
    ],
)
def test_a_result_that_is_kept(result, kept) -> None:
    """Whatever the standard library writes as JSON is kept: as a list, an object, a number, a text."""
    made = of_return(result)
    found = left(made)
    assert found._replace(result=None) == LeftOutcome("succeeded", NOW)
    assert made.note == ""
    value = jsontext.decode_value(found.result, "result")
    assert value == kept
    assert type(value) is type(kept)


def test_no_result() -> None:
    """A call that returns nothing has no result, and nothing was dropped."""
    assert left(of_return(None)) == LeftOutcome("succeeded", NOW)


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ({1, 2}, "set is no JSON: Object of type set is not JSON serializable"),
        ([b"x"], "list is no JSON: Object of type bytes is not JSON serializable"),
        (object(), "object is no JSON: "),
        (Plain.ONE, "Plain is no JSON: "),
        (Point(1), "Point is no JSON: "),
        (datetime(2026, 1, 1, tzinfo=UTC), "datetime is no JSON: "),
        (Decimal("1.5"), "Decimal is no JSON: "),
        (deque([1]), "deque is no JSON: "),
        (range(3), "range is no JSON: "),
        (iter([1]), "list_iterator is no JSON: "),
        ({(1, 2): 3}, "dict is no JSON: keys must be str, int, float, bool or None, not tuple"),
        (float("nan"), "float is no JSON: "),
        ([float("inf")], "list is no JSON: "),
        ({"a": float("-inf")}, "dict is no JSON: "),
        ("\ud800", "str is no JSON: 'utf-8' codec can't encode character"),
        (["x\udfff"], "list is no JSON: 'utf-8' codec can't encode character"),
        ({"\ud800": 1}, "dict is no JSON: 'utf-8' codec can't encode character"),
        pytest.param(10**5000, "int is no JSON: ", id="huge"),
        (nested(100_000), "list is no JSON: "),
        (HostileList([1]), "HostileList is no JSON: (its text cannot be had: RuntimeError)"),
        (HostileDict(a=1), "HostileDict is no JSON: (its text cannot be had: RuntimeError)"),
        ("x" * (MAX_RESULT_BYTES - 1), f"more than {MAX_RESULT_BYTES} bytes of JSON"),
        ("ü" * MAX_RESULT_BYTES, f"more than {MAX_RESULT_BYTES} bytes of JSON"),
        ([1] * MAX_RESULT_BYTES, f"more than {MAX_RESULT_BYTES} bytes of JSON"),
        (2**64, "int is no JSON: an integer beyond 64 bits"),
        (-(2**63) - 1, "int is no JSON: an integer beyond 64 bits"),
        ([10**400], "list is no JSON: an integer beyond 64 bits"),
        (nested(64), "list is no JSON: nested deeper than 64 levels"),
        (nested(500), "list is no JSON: nested deeper than 64 levels"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_result_that_is_dropped(result, why) -> None:
    """Anything else is dropped: the job succeeded all the same, and both its record and its log say why."""
    made = of_return(result)
    found = left(made)
    assert (found.outcome, found.result, found.error) == ("succeeded", None, None)
    assert why in found.result_dropped
    assert made.note == f"the return value was not kept: {found.result_dropped}"


def test_a_result_that_refers_to_itself() -> None:
    """A return value without an end is dropped, and no error of the recursion reaches the job."""
    endless: list[object] = []
    endless.append(endless)
    assert left(of_return(endless)).result_dropped.startswith("list is no JSON: ")


def test_a_long_reason_is_cut() -> None:
    """Why a result was dropped is said in a bounded text, whatever the error of the value says."""

    class Wordy(dict):
        def items(self):
            raise ValueError("x" * 1_000_000)

    found = left(of_return(Wordy(a=1)))
    assert len(found.result_dropped.encode()) <= MAX_TEXT_BYTES
    assert found.result_dropped.startswith("Wordy is no JSON: x")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), ANY_TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.tuples(inner, inner), st.dictionaries(ANY_TEXT, inner, max_size=4)
    ),
    max_leaves=15,
)


def as_json(value: object) -> object:
    """The value with its tuples as lists."""
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return {key: as_json(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(JSON.filter(lambda value: value is not None))
def test_a_result_is_kept_as_it_is_or_dropped(value) -> None:
    """Whatever a job returns, the line can be read, and holds either the very value or why there is none."""
    found = left(of_return(value))
    if found.result is None:
        assert found.result_dropped
        with pytest.raises((ValueError, UnicodeEncodeError)):
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    else:
        assert found.result_dropped is None
        assert jsontext.decode_value(found.result, "result") == as_json(value)


class OwnError(LookupError):
    pass


class Asks(Retry):
    def __init__(self) -> None:
        """Does not call the other."""


def test_the_classes_of_an_error_are_left() -> None:
    """What the error's class is derived from is left, the nearest first, so that a policy can name any of them."""
    found = left(of_error(raised(OwnError("no")), None))
    assert found.said.kinds == (f"{__name__}.OwnError", "LookupError", "Exception", "BaseException")
    assert found.said.after is None


@pytest.mark.parametrize(("asked", "after"), [(Retry("no", after="5m"), 300.0), (Retry(), None), (Asks(), None)])
def test_a_retry_is_left_with_its_pause(asked, after) -> None:
    """A job that asks for a retry leaves the pause, if it gave one."""
    said = left(of_error(raised(asked), None)).said
    assert "spoolrunner.Retry" in said.kinds
    assert said.after == after


@pytest.mark.parametrize("after", [float("nan"), float("inf"), -1.0, 1e12, "5m", True])
def test_a_pause_that_is_none_is_left_out(after) -> None:
    """What somebody puts into the exception afterwards does not cost the record."""
    asked = Retry("no")
    asked.after = after
    assert left(of_error(raised(asked), None)).said.after is None


def test_an_error_whose_text_never_comes_has_its_classes() -> None:
    """The line that counts when the error's own methods hang has the classes, too."""
    first: list[CallOutcome] = []
    outcome.of_error(raised(OwnError("no")), None, first.append)
    assert left(first[0]).said.kinds[:2] == (f"{__name__}.OwnError", "LookupError")


def test_many_classes_with_long_names() -> None:
    """The names are bounded, whatever classes a job makes."""
    kind = Exception
    for number in range(100):
        kind = type(f"K{number}" + "x" * 10_000, (kind,), {})
    made = of_error(raised(kind("no")), None)
    assert len(made.fields["bases"]) < 20_000
    assert left(made).error["message"] == "no"

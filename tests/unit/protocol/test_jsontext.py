"""Documents as bytes: the round trip, and the limits that keep a document safe to be rewritten."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=20,
)


def nested(levels: int, opening: str = "[", closing: str = "]", core: str = "") -> bytes:
    """A document of so many levels, itself included."""
    return ('{"x":' + opening * (levels - 1) + core + closing * (levels - 1) + "}").encode()


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_round_trip(raw) -> None:
    """What passes check_value comes back from its bytes as it was."""
    jsontext.check_value(raw, "")
    assert jsontext.decode(jsontext.encode(raw)) == raw


@given(st.one_of(st.binary(max_size=200), JSON.map(lambda value: json.dumps(value).encode())))
def test_decode_never_surprises(data) -> None:
    """Any bytes are either an object that can be written and read again, or a JobFormatError."""
    try:
        raw = jsontext.decode(data)
    except JobFormatError:
        return
    assert jsontext.decode(jsontext.encode(raw)) == raw


@given(JSON, st.data())
def test_decode_of_damaged_documents(value, data) -> None:
    """A document with one byte changed or cut off is read or refused, and nothing else."""
    whole = jsontext.encode({"meta": value})
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + data.draw(st.sampled_from([b"", b"\0", b'"', b"\xff", b"9" * 30])) + whole[at + 1 :]
    for damaged in (whole[:at], changed):
        try:
            read = jsontext.decode(damaged)
        except JobFormatError:
            continue
        assert isinstance(read, dict)


def test_encode_is_for_people_too() -> None:
    """A document is written as indented UTF-8 with a final line break, its keys in their order."""
    assert jsontext.encode({"b": "é", "a": [1]}) == '{\n  "b": "é",\n  "a": [\n    1\n  ]\n}\n'.encode()


@dataclass
class Point:
    x: int


@pytest.mark.parametrize("value", [Point(1), datetime(2026, 1, 1, tzinfo=UTC), {1: 2}, {1}, b"x"])
def test_encode_writes_only_json(value) -> None:
    """Nothing that would come back as another type is written."""
    with pytest.raises(orjson.JSONEncodeError):
        jsontext.encode({"x": value})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not valid UTF-8 JSON"),
        (b"{", "not valid UTF-8 JSON"),
        (b'{"a":1}{', "not valid UTF-8 JSON"),
        (b'{"a":NaN}', "not valid UTF-8 JSON"),
        (b'{"a":Infinity}', "not valid UTF-8 JSON"),
        (b'{"a":1e400}', "not valid UTF-8 JSON"),
        (b'{"a":"\xff"}', "not valid UTF-8 JSON"),
        (b'{"a":"\\ud800"}', "not valid UTF-8 JSON"),
        (b"\0" * 4096, "not valid UTF-8 JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not valid UTF-8 JSON: UTF-8 byte order mark"),
        ('{"a":1}'.encode("utf-16"), "not valid UTF-8 JSON"),
        (b"[]", "the document is an array"),
        (b'"x"', "the document is a string"),
        (b"1", "the document is a number"),
        (b"1.5", "the document is a number"),
        (b"true", "the document is a boolean"),
        (b"null", "the document is null"),
    ],
)
def test_decode_says_what_is_wrong(data, problem) -> None:
    """What is no JSON object is refused as a whole, with what it is."""
    with pytest.raises(JobFormatError) as caught:
        jsontext.decode(data)
    assert caught.value.key == ""
    assert caught.value.problem.startswith(problem)
    assert ("PowerShell" in caught.value.problem) is data.startswith(b"\xff\xfe")


@pytest.mark.parametrize(("opening", "closing", "core"), [("[", "]", ""), ('{"k":', "}", "{}")])
def test_depth(opening, closing, core) -> None:
    """A document of 64 levels is read, one of 65 or of 1000 is not."""
    inner = 1 if core else 0
    raw = jsontext.decode(nested(jsontext.MAX_DEPTH - inner, opening, closing, core))
    assert jsontext.decode(jsontext.encode(raw)) == raw
    for levels in (jsontext.MAX_DEPTH + 1, 1000):
        with pytest.raises(JobFormatError, match="nested deeper than 64 levels"):
            jsontext.decode(nested(levels - inner, opening, closing, core))


def test_depth_is_told_with_its_key() -> None:
    """Of a document that is too deep the top key is told; of a key that is long itself, its beginning."""
    for key in ("meta", "m" * 5000):
        with pytest.raises(JobFormatError) as caught:
            jsontext.decode(b'{"job": "x", "%s": %s}' % (key.encode(), b"[" * 64 + b"]" * 64))
        assert caught.value.key == key[:100]


def test_many_brackets_are_no_depth() -> None:
    """A document with many arrays side by side is not a deep one."""
    assert len(jsontext.decode(b'{"x":[' + b",".join([b"[]"] * 1000) + b"]}")["x"]) == 1000


@pytest.mark.parametrize("levels", [62, 63, jsontext.MAX_DEPTH + 1])
def test_both_doors_agree_on_depth(levels) -> None:
    """A depth that is refused in a file is refused in a value from Python, and the other way round."""
    data = nested(levels, core="1")
    try:
        raw = jsontext.decode(data)
    except JobFormatError:
        raw = orjson.loads(data)
        with pytest.raises(JobFormatError):
            jsontext.check_value(raw, "")
    else:
        jsontext.check_value(raw, "")


def test_both_doors_agree_at_the_limit() -> None:
    """A value inside 64 levels of containers that a file may hold may also come from Python."""
    jsontext.check_value(jsontext.decode(nested(jsontext.MAX_DEPTH, core="1")), "")


@pytest.mark.parametrize("number", [0, 2**63, 2**64 - 1, -(2**63)])
def test_integers_of_64_bits(number) -> None:
    """An integer of at most 64 bits is kept exactly."""
    jsontext.check_value(number, "x")
    assert jsontext.decode(b'{"x":%d}' % number) == {"x": number}


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**25, -(10**25)])
def test_integers_beyond_64_bits(number) -> None:
    """An integer beyond 64 bits is refused, since it would come back as another number."""
    with pytest.raises(JobFormatError, match="beyond 64 bits"):
        jsontext.check_value(number, "x")
    with pytest.raises(JobFormatError, match="beyond 64 bits"):
        jsontext.decode(b'{"a":[{"x":%s}]}' % str(number).encode())


def test_an_integer_of_hundreds_of_digits() -> None:
    """An integer of 300 digits is refused like any other large one."""
    with pytest.raises(JobFormatError, match="beyond 64 bits"):
        jsontext.decode(b'{"x":' + b"9" * 300 + b"}")


@pytest.mark.parametrize(
    "text", ['"123456789012345678901234567890"', "0.12345678901234567890123", "1234567890123456789"]
)
def test_many_digits_that_are_no_large_integer(text) -> None:
    """Many digits in a string or behind a decimal point are no integer beyond 64 bits."""
    assert jsontext.decode(f'{{"x":{text}}}'.encode()) == {"x": json.loads(text)}


@given(JSON)
def test_a_value_comes_back_from_its_text(value) -> None:
    """A value that a document can hold is read from its text as it is, however the text is written."""
    for text in (orjson.dumps(value).decode(), json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert jsontext.decode_value(text, "result") == value


@given(st.one_of(st.text(max_size=50), st.floats().map(json.dumps), st.integers().map(str), JSON.map(json.dumps)))
def test_a_value_never_surprises(text) -> None:
    """Any text is either a value that a document can be written with and read again, or a JobFormatError."""
    try:
        value = jsontext.decode_value(text, "result")
    except JobFormatError:
        return
    assert jsontext.decode(jsontext.encode({"result": value})) == {"result": value}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not valid UTF-8 JSON"),
        ("nothing", "not valid UTF-8 JSON"),
        ("NaN", "not valid UTF-8 JSON"),
        ("1 2", "not valid UTF-8 JSON"),
        ('"\ud800"', "not valid UTF-8 JSON"),
        ('"\\ud800"', "not valid UTF-8 JSON"),
        ("18446744073709551616", "beyond 64 bits"),
        ('{"a":[-9223372036854775809]}', "beyond 64 bits"),
        ("9" * 5000, "not valid UTF-8 JSON|beyond 64 bits"),
        ("[" * 64 + "]" * 64, "nested deeper than 64 levels"),
        ("[" * 5000 + "]" * 5000, "not valid UTF-8 JSON"),
    ],
)
def test_a_value_that_no_document_can_hold(text, problem) -> None:
    """A text that is no JSON, or whose value would not survive in a document, is refused."""
    with pytest.raises(JobFormatError, match=problem):
        jsontext.decode_value(text, "result")


def test_a_value_may_be_as_deep_as_in_a_document() -> None:
    """A value of 63 levels, which are 64 in the document, is read; the place is named where it is refused."""
    text = "[" * 63 + "]" * 63
    assert jsontext.decode_value(text, "result") == jsontext.decode(b'{"result":' + text.encode() + b"}")["result"]
    with pytest.raises(JobFormatError) as caught:
        jsontext.decode_value(f"[{text}]", "result")
    assert caught.value.key == "result"


def padded(size: int, **keys) -> bytes:
    shell = jsontext.encode({**keys, "x": "a" * jsontext.MAX_INDENTED_BYTES})
    return jsontext.encode({**keys, "x": "a" * (jsontext.MAX_INDENTED_BYTES + size - len(shell))})


def test_size_of_a_producers_document() -> None:
    """A document without attempts has at most 1 MiB."""
    jsontext.decode(padded(jsontext.MAX_PRODUCER_BYTES))
    with pytest.raises(JobFormatError, match="1048577 bytes; a job document has at most 1048576"):
        jsontext.decode(padded(jsontext.MAX_PRODUCER_BYTES + 1))


def test_size_with_history() -> None:
    """A document with attempts may grow to 8 MiB, and not beyond."""
    jsontext.decode(padded(jsontext.MAX_BYTES, attempts=[{}]))
    with pytest.raises(JobFormatError, match="more than 8388608 bytes"):
        jsontext.decode(padded(jsontext.MAX_BYTES + 1, attempts=[{}]))


def test_what_a_document_takes_when_it_is_written_again() -> None:
    """Numbers are counted as we write them, and no indentation."""
    assert jsontext.written_bytes(jsontext.decode(b'{ "a" : [1e15] }')) == len('{"a":[1000000000000000.0]}')


def test_a_key_that_is_known_to_be_flat() -> None:
    """The depth of one key may be left to the caller; of all others it is looked at."""
    deep = "[" * 64 + "]" * 64
    jsontext.decode(f'{{"a":{deep}}}'.encode(), flat="a")
    with pytest.raises(JobFormatError, match="b: nested deeper"):
        jsontext.decode(f'{{"a":{deep},"b":{deep}}}'.encode(), flat="a")


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "where", "problem"),
    [
        ({"a": [0, {1: 2}]}, "params.a[1]", "the key 1 is not a string"),
        ([1, float("nan")], "params[1]", "nan is not JSON"),
        ((1, float("-inf")), "params[1]", "-inf is not JSON"),
        ({"a": b"x"}, "params.a", "bytes is not JSON"),
        ([{1}], "params[0]", "set is not JSON"),
        (datetime(2026, 1, 1, tzinfo=UTC), "params", "datetime is not JSON"),
        ([Text("x")], "params[0]", "Text is not JSON"),
        (["\ud800"], "params[0]", "a lone surrogate is not UTF-8"),
        ({"\udfff": 1}, "params", "a lone surrogate is not UTF-8"),
    ],
)
def test_check_value_names_the_place(value, where, problem) -> None:
    """A value that would not come back from JSON is refused with the path to it."""
    with pytest.raises(JobFormatError) as caught:
        jsontext.check_value(value, "params")
    assert caught.value.key == where
    assert caught.value.problem.startswith(problem)


def test_check_value_of_a_circle() -> None:
    """A list that contains itself is refused like anything too deep."""
    circle: list = []
    circle.append(circle)
    with pytest.raises(JobFormatError, match="nested deeper than 64 levels"):
        jsontext.check_value(circle, "params")


def test_check_value_takes_tuples() -> None:
    """A tuple counts as an array."""
    jsontext.check_value((1, ("a", None)), "params")


def test_what_we_tell_may_hold_any_path() -> None:
    """A path that is no UTF-8 is written as an escape, in names, values and lists; all else is as it was."""
    path = "b\udcfccher"
    told = {path: [path, {"a": (path,)}], "n": 5, "t": None, "s": "bücher"}
    escaped = "b\\udcfccher"
    assert jsontext.decode(jsontext.encode_told(told)) == {
        escaped: [escaped, {"a": [escaped]}],
        "n": 5,
        "t": None,
        "s": "bücher",
    }

"""A document with some fields changed: they are, and no other byte is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.protocol.rewriting import rewritten

TYPED = b"""{ "job" : "app.Report",
  "method":"build"   , "params" : [1,  2.50, "\\u00e9 }{,:"],
  "priority" : 3,
  "meta": {"priority": 9, "x": [ ]}
}
"""


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        ({"priority": 7}, b'"priority" : 3', b'"priority" : 7'),
        ({"priority": None}, b'"priority" : 3,\n  ', b""),
        ({"params": {"a": "\u00e9"}}, b'[1,  2.50, "\\u00e9 }{,:"]', '{"a":"\u00e9"}'.encode()),
        ({"job": None}, b'"job" : "app.Report",\n  ', b""),
        ({"meta": None}, b',\n  "meta": {"priority": 9, "x": [ ]}', b""),
        ({"group": "g"}, b'"x": [ ]}', b'"x": [ ]},\n  "group": "g"'),
        ({"nothing": None}, b"", b""),
    ],
)
def test_every_other_byte_stays(changes, before, after) -> None:
    """What a person typed stays as it is: spaces, the way of a number, the order of the fields."""
    assert before in TYPED
    assert rewritten(TYPED, changes) == TYPED.replace(before, after, 1)


def test_several_fields() -> None:
    """Fields are set, added and taken out at once."""
    made = rewritten(b'{"a":1,"b":2}', {"b": None, "c": 3, "a": 4})
    assert made == b'{"a":4,"c":3}'


@pytest.mark.parametrize(
    ("data", "changes", "made"),
    [(b"{}", {"a": 1}, b'{"a": 1}'), (b" { } ", {"a": 1}, b' {"a": 1 } '), (b'{"a":1}', {"a": None}, b"{}")],
)
def test_small_documents(data, changes, made) -> None:
    """An empty document gets its first field, and the last one can go."""
    assert rewritten(data, changes) == made


def test_a_field_that_stands_there_twice() -> None:
    """Which of two fields of one name counts is not left to chance: the document is written anew."""
    made = rewritten(b'{"priority": 1, "priority": 2, "a": 1}', {"priority": 5})
    assert json.loads(made) == {"priority": 5, "a": 1}
    assert made.count(b"priority") == 1


@pytest.mark.parametrize("data", [b"[]", b"{", b'{"a": NaN}', b"\xff\xfe{}"])
def test_what_is_no_document(data) -> None:
    """Nothing is made of a file that is no JSON object."""
    with pytest.raises(JobFormatError):
        rewritten(data, {"a": 1})


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["a", "b", "priority", 'q"\\', "\u00e9", ""])
INDENTS = st.sampled_from([None, 0, 1, 4])


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.dictionaries(KEYS, VALUES, max_size=3), INDENTS, st.booleans())
def test_it_means_what_was_asked_for(document: dict[str, Any], changes: dict[str, Any], indent, is_ascii) -> None:
    """Whatever the document and the changes: it reads as the document with the changes, in either way of writing it."""
    data = json.dumps(document, indent=indent, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    try:
        before = jsontext.decode(data)
    except JobFormatError:
        return
    wanted = {key: value for key, value in {**before, **changes}.items() if key not in changes or value is not None}
    assert jsontext.decode(rewritten(data, changes)) == wanted

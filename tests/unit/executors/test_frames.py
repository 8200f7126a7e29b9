"""Messages between a dispatcher and its template: they come out as they went in, however the bytes come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.executors import frames
from spoolrunner.executors.frames import Frames, framed

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=10,
)
MESSAGES = st.lists(st.lists(VALUES, max_size=4).map(tuple), max_size=5)


@given(MESSAGES, st.data())
def test_messages_come_whole_and_in_order(messages, data) -> None:
    """Wherever the bytes are cut, each message comes once, whole, in its order, as soon as its last byte is there."""
    whole = b"".join(framed(*message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    received = Frames()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += received.take(whole[start:end])
    assert found == messages
    assert received.take(b"") == []


def test_a_message_comes_with_its_last_byte() -> None:
    """One message byte by byte: nothing before the last, and then all of it."""
    data = framed("start", "x", 1, b"\0\1")
    received = Frames()
    assert [received.take(data[at : at + 1]) for at in range(len(data))] == [[]] * (len(data) - 1) + [
        [("start", "x", 1, b"\0\1")]
    ]


def test_nothing_of_a_message_is_kept_when_it_was_taken() -> None:
    """What came with a whole message of the next one is kept, and no byte more."""
    one, two = framed("who"), framed("exited", "x", 1)
    received = Frames()
    assert received.take(one + two[:5]) == [("who",)]
    assert received._data == two[:5]
    assert received.take(two[5:]) == [("exited", "x", 1)]
    assert received._data == b""


def test_a_large_message() -> None:
    """A message of megabytes, as of a job with large parameters, passes like any other."""
    data = framed("start", "x", 1, b"p" * (5 << 20))
    received = Frames()
    chunks = [data[at : at + 65536] for at in range(0, len(data), 65536)]
    *before, last = [received.take(chunk) for chunk in chunks]
    assert before == [[]] * (len(chunks) - 1)
    assert last == [("start", "x", 1, b"p" * (5 << 20))]


def test_the_words_differ() -> None:
    """No two messages begin with the same word."""
    words = ["FORK", "RETIRE", "FORKED", "EXITED", "READY", "OUTDATED", "FAILED"]
    words += ["IMPORTING", "IMPORTED", "SKIPPED", "LEFT_OUT"]
    assert len({getattr(frames, word) for word in words}) == len(words)

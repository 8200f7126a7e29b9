"""Signatures: what is covered, what is not, and what a forger can try."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoolrunner.protocol import jsontext, signing

KEY = bytes(range(32))
RAW = {"job": "app.Report", "method": "build", "params": [2026], "meta": {"zeros": "0" * 64}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=6,
)


def signed(raw=RAW, job_id="one", key=KEY) -> bytes:
    return signing.sign(key, job_id, raw)


def problem(data: bytes, job_id="one", key=KEY) -> str | None:
    return signing.problem(key, job_id, jsontext.decode(data), data)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON, max_size=4))
def test_what_was_signed_fits(raw) -> None:
    """Any document that was signed counts as signed, says what it said, and can be signed again."""
    data = signed(raw)

    assert problem(data) is None
    told = {name: value for name, value in jsontext.decode(data).items() if name != signing.FIELD}
    assert told == {name: value for name, value in raw.items() if name != signing.FIELD}
    assert signed(jsontext.decode(data)) == data


def test_the_signature_is_an_hmac_of_id_and_bytes() -> None:
    """It is HMAC-SHA256 over id, line feed and the file with 64 zeros in its place, as the page tells strangers."""
    data = signed()
    signature = json.loads(data)["signature"]

    covered = b"one\n" + data.replace(signature.encode(), b"0" * 64)

    assert signature == hmac.new(KEY, covered, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("position", range(0, 230, 7))
def test_any_changed_byte_is_noticed(position) -> None:
    """A file of which one byte was changed does not count as signed."""
    data = bytearray(signed())
    data[position] ^= 1
    try:
        jsontext.decode(bytes(data))
    except jsontext.JobFormatError:
        return

    assert problem(bytes(data))


def test_the_id_is_covered_without_the_number_of_a_taken_name() -> None:
    """A file cannot run under another id, but may get the number of a name that was taken."""
    data = signed(job_id="one")

    assert problem(data, "two")
    assert problem(data, "one~2") is None


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (None, "missing"),
        (5, "64 hexadecimal"),
        ("0" * 63, "64 hexadecimal"),
        ("A" * 64, "64 hexadecimal"),
        ("0" * 64, "more than once"),
        ("1" * 64, "does not fit"),
    ],
)
def test_what_is_no_signature(signature, words) -> None:
    """A signature that is missing, of another form, or made up is refused with the reason."""
    data = jsontext.encode({**RAW, "signature": signature})

    assert words in (problem(data) or "")


def test_a_signature_cannot_be_moved_to_other_zeros() -> None:
    """A forger cannot put the signature where the document holds zeros of its own, and zeros in its place."""
    data = signed()
    signature = json.loads(data)["signature"].encode()
    swapped = data.replace(b"0" * 64, b"X").replace(signature, b"0" * 64).replace(b"X", signature)

    assert problem(swapped)


def test_another_key() -> None:
    """A file that was signed with another key does not count."""
    assert "another key" in (problem(signed(key=bytes(32))) or "")


@pytest.mark.parametrize("text", [b"ab" * 32, b"AB" * 32 + b"\n", b" ab" * 64])
def test_keys(text) -> None:
    """A key is 64 to 128 hexadecimal digits; spaces and line breaks do not matter."""
    assert signing.parse_key(text) == bytes.fromhex(text.decode())


@pytest.mark.parametrize(
    ("text", "words"), [(b"secret", "hexadecimal"), (b"ab" * 31, "31 bytes"), (b"ab" * 65, "65"), (b"\xff", "hex")]
)
def test_what_is_no_key(text, words) -> None:
    """A key file with other characters, or too few or too many digits, is refused with what to do."""
    with pytest.raises(ValueError, match=words):
        signing.parse_key(text)

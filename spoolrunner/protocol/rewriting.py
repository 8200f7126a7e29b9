"""A document with some of its fields changed, and every other byte as its producer wrote it. Touches no disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from spoolrunner.protocol import jsontext

_space = re.compile(r"[ \t\n\r]*")
_decoder = json.JSONDecoder()


class _Member(NamedTuple):
    """A field of the document, and where in the text its name begins and ends, and its value."""

    key: str
    begin: int
    key_end: int
    value_begin: int
    end: int


def rewritten(data: bytes, changes: Mapping[str, Any]) -> bytes:
    """Return the document `data` with these fields at its top set to other values, or taken out where the value is None.

    Where the text can't be kept, as where a field stands in it twice, the whole is written anew. JobFormatError when
    `data` is no document.
    """
    raw = jsontext.decode(data)
    wanted = {key: value for key, value in (raw | dict(changes)).items() if key not in changes or value is not None}
    text = data.decode()
    for key, value in changes.items():
        text = _changed(text, key, value)
    made = text.encode()
    return made if orjson.loads(made) == wanted else jsontext.encode(wanted)


def _changed(text: str, key: str, value: Any) -> str:
    members = list(_members(text))
    at = next((index for index, member in enumerate(members) if member.key == key), None)
    if value is None:
        return text if at is None else _without(text, members, at)
    written = orjson.dumps(value).decode()
    if at is not None:
        return text[: members[at].value_begin] + written + text[members[at].end :]
    name = orjson.dumps(key).decode()
    if not members:
        begin = text.index("{") + 1
        return f"{text[:begin]}{name}: {written}{text[begin:]}"
    last = members[-1]
    before = text.index("{") + 1 if len(members) == 1 else text.index(",", members[-2].end) + 1
    lead, colon = text[before : last.begin], text[last.key_end : last.value_begin]
    return f"{text[: last.end]},{lead}{name}{colon}{written}{text[last.end :]}"


def _without(text: str, members: list[_Member], at: int) -> str:
    member = members[at]
    if at + 1 < len(members):
        return text[: member.begin] + text[members[at + 1].begin :]
    begin = members[at - 1].end if at else member.begin
    return text[:begin] + text[member.end :]


def _members(text: str) -> Iterator[_Member]:
    """The fields of a document that is known to be a JSON object."""
    at = _after_space(text, text.index("{") + 1)
    while text[at] != "}":
        key, key_end = _decoder.raw_decode(text, at)
        value_begin = _after_space(text, _after_space(text, key_end) + 1)
        _, end = _decoder.raw_decode(text, value_begin)
        yield _Member(key, at, key_end, value_begin, end)
        at = _after_space(text, end)
        if text[at] == ",":
            at = _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    found = _space.match(text, at)
    return at if found is None else found.end()

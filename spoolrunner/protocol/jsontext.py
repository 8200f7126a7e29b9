"""Job documents to bytes and back, as JSON that is small and flat enough to be read and written again.

Owns the greatest size and depth of a document, and the rule that a value must come back unchanged. What the fields mean is in
`document`.
"""

from __future__ import annotations

import json
import math
import os
import re
from typing import Any

import orjson

from spoolrunner.errors import JobFormatError

MAX_PRODUCER_BYTES = 1 << 20
MAX_DEPTH = 64
"""Levels. orjson reads 1024 but writes only about 253; a document that can be read must be one that can be written."""
MAX_BYTES = 8 << 20
"""Bytes of a document with attempts; what is not of ours in it has at most MAX_PRODUCER_BYTES."""
MAX_INDENTED_BYTES = 64 << 10
MAX_TRACEBACK_BYTES = 16 << 10

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_MANY_DIGITS = re.compile(rb"[0-9]{19}")
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def encode(document: dict[str, Any]) -> bytes:
    """Return the document as UTF-8 JSON with a final newline; indented for people, unless it is large.

    Indentation may make a deeply nested document forty times as long, and so too long to be read again.
    """
    data = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE | _STRICT)
    if len(data) > MAX_INDENTED_BYTES:
        return data
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | _STRICT)


def encode_told(value: dict[str, Any], option: int = 0) -> bytes:
    """Return what we tell about ourselves as UTF-8 JSON: paths in it may hold bytes that are no UTF-8, written as escapes."""
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError:
        return orjson.dumps(_encodable(value), option=option)


def _encodable(value: Any) -> Any:
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(item) for item in value]
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def read(descriptor: int, size: int) -> bytes:
    """Read an open file that was `size` bytes long a moment ago; of one longer than MAX_BYTES, only some more than these."""
    data = os.read(descriptor, min(size, MAX_BYTES) + 1)
    if len(data) == size:
        return data
    while len(data) <= MAX_BYTES and (chunk := os.read(descriptor, MAX_INDENTED_BYTES)):
        data += chunk  # it is being written this moment, or the system reads in parts
    return data


def decode(data: bytes, flat: str = "") -> dict[str, Any]:
    """Return the JSON object in `data`; JobFormatError when there is none, or it could not be written again as it is.

    The caller knows that what lies at the key `flat` is not nested too deep.
    """
    if len(data) > MAX_BYTES:
        raise JobFormatError("", f"more than {MAX_BYTES} bytes")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        hint = "; it begins as UTF-16 does, which > of Windows PowerShell writes" if data[:2] in _UTF_16 else ""
        raise JobFormatError("", f"not valid UTF-8 JSON: {error}{hint}") from None
    if not isinstance(value, dict):
        raise JobFormatError("", f"the document is {_kind(value)}; a JSON object is needed")
    if len(data) > MAX_PRODUCER_BYTES and not value.get("attempts"):
        raise JobFormatError("", f"{len(data)} bytes; a job document has at most {MAX_PRODUCER_BYTES}")
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        _check_depth({key: item for key, item in value.items() if key != flat} if flat else value)
    if _MANY_DIGITS.search(data):
        _check_integers(data)
    return value


def written_bytes(document: dict[str, Any]) -> int:
    """Return how many bytes the document has without indentation: numbers such as 1e15 are written out in full."""
    return len(orjson.dumps(document, option=_STRICT))


def decode_value(text: str, where: str) -> Any:
    """Return the value of a JSON text; JobFormatError when there is none, or it could not stand in a document at `where`."""
    data = text.encode("utf-8", "surrogatepass")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise JobFormatError(where, f"not valid UTF-8 JSON: {error}") from None
    _check_depth({where: value})
    if _MANY_DIGITS.search(data):
        _check_integers(data)
    return value


def check_value(value: object, where: str, depth: int = 1) -> None:
    """Raise JobFormatError unless `value` comes back unchanged from JSON. Tuples count as arrays."""
    if depth > MAX_DEPTH and type(value) in (list, tuple, dict):
        raise JobFormatError(where, f"nested deeper than {MAX_DEPTH} levels")
    if type(value) is list or type(value) is tuple:
        for index, item in enumerate(value):
            check_value(item, f"{where}[{index}]", depth + 1)
    elif type(value) is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise JobFormatError(where, f"the key {key!r} is not a string")
            _check_scalar(key, where)
            check_value(item, f"{where}.{key}", depth + 1)
    else:
        _check_scalar(value, where)


def _check_scalar(value: object, where: str) -> None:
    if value is None or type(value) is bool:
        return
    if type(value) is str:
        _check_text(value, where)
    elif type(value) is int:
        if not _INT_MIN <= value <= _INT_MAX:
            raise JobFormatError(where, "an integer beyond 64 bits would not survive; write it as a string")
    elif type(value) is float:
        if not math.isfinite(value):
            raise JobFormatError(where, f"{value} is not JSON")
    else:
        problem = f"{type(value).__name__} is not JSON; use null, booleans, numbers, strings, lists and dicts"
        raise JobFormatError(where, problem)


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise JobFormatError(where, "a lone surrogate is not UTF-8") from None


def _check_depth(document: dict[str, Any]) -> None:
    # Level by level, to be fast: the dispatcher waits for this, and a small document may have 300,000 empty objects.
    for key, value in document.items():
        level = [value] if type(value) in (dict, list) else []
        depth = 2
        while level:
            if depth > MAX_DEPTH:
                raise JobFormatError(key[:100], f"nested deeper than {MAX_DEPTH} levels")
            inside = [item.values() if type(item) is dict else item for item in level]
            level = [item for items in inside for item in items if type(item) is dict or type(item) is list]
            depth += 1


def _check_integers(data: bytes) -> None:
    # orjson turns an integer beyond 64 bits into a float without an error, so a second, slower reader looks for those.
    def integer(text: str) -> int:
        if len(text) > 20 or not _INT_MIN <= int(text) <= _INT_MAX:
            raise JobFormatError(
                "", f"integer {text[:24]}… is beyond 64 bits and would not survive; write it as a string"
            )
        return 0

    json.loads(data, parse_int=integer)


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")

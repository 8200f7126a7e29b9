"""What a person types into a field, as a value; JobFormatError, under the name of the field, for what is none."""

from __future__ import annotations

from typing import Any

from spoolrunner.errors import JobFormatError
from spoolrunner.protocol import jsontext
from spoolrunner.system.times import parse_duration


def whole_number(name: str, text: str) -> int | None:
    """Return a whole number; None for an empty field."""
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise JobFormatError(name, f"{text[:80]!r} is no whole number") from None


def moment(text: str) -> dict[str, str | None]:
    """Return `delay` for a duration from now on, `at` for a time, and `at` of None for an empty field, which means now."""
    try:
        parse_duration(text)
    except ValueError:
        return {"at": text or None}
    return {"delay": text}


def json_params(text: str) -> list[Any] | dict[str, Any]:
    """Return parameters that are given as one JSON text."""
    params = jsontext.decode_value(text, "params")
    if not isinstance(params, (list, dict)):
        raise JobFormatError("params", "must be a JSON array (by position) or object (by name)")
    return params

"""The fields of a form that was sent: bounded, and without a package for it."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from spoolrunner.errors import JobFormatError

MOST_FIELDS = 20_000
"""Fields of one form: a page of ticked jobs has a hundred."""
LONGEST = 30.0
"""Seconds within which a form has to come."""
_KIND = "application/x-www-form-urlencoded"


class Form:
    """The fields of a form, each with its values in their order."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def names(self) -> set[str]:
        """Return the names of the fields."""
        return set(self._values)

    def one(self, name: str, default: str = "") -> str:
        """Return the last value of a field without blanks around it, and the default where there is none."""
        return self._values.get(name, [default])[-1].strip()

    def all(self, name: str) -> list[str]:
        """Return all values of a field."""
        return self._values.get(name, [])


async def read_form(request: Request) -> Form:
    """Return the form in the body of a request; JobFormatError when it is none, or too long."""
    if request.headers.get("content-type", _KIND).partition(";")[0].strip().lower() != _KIND:
        raise JobFormatError("", f"the body must be {_KIND}")
    try:
        async with asyncio.timeout(LONGEST):
            text = (await request.body()).decode("utf-8")
        return Form(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except TimeoutError:
        raise JobFormatError("", f"the form did not come within {LONGEST:g} s") from None
    except ClientDisconnect:
        raise JobFormatError("", "the form is too long, or did not come whole") from None
    except ValueError as error:
        raise JobFormatError("", f"the form cannot be read: {error}") from None

"""The fields of a form that was sent."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request

from spoolrunner.errors import JobFormatError
from spoolrunner.web import forms
from spoolrunner.web.forms import MOST_FIELDS, read_form


def sent(body: bytes, kind: bytes = b"application/x-www-form-urlencoded", *, breaks: bool = False) -> Request:
    messages = [{"type": "http.request", "body": body, "more_body": breaks}, {"type": "http.disconnect"}]

    async def receive() -> dict:
        return messages.pop(0)

    return Request({"type": "http", "method": "POST", "headers": [(b"content-type", kind)]}, receive)


def test_fields() -> None:
    """A field has its last value without blanks, or all of them; an empty one is empty."""
    form = asyncio.run(read_form(sent(b"a=1&a=+2+&b=&c=%C3%BC")))
    assert (form.one("a"), form.all("a"), form.one("b"), form.one("c"), form.one("d", "x")) == (
        "2",
        ["1", " 2 "],
        "",
        "ü",
        "x",
    )


@pytest.mark.parametrize(
    "request_",
    [
        sent(b"\xff"),
        sent(b"&".join([b"a=1"] * (MOST_FIELDS + 1))),
        sent(b"{}", b"application/json"),
        sent(b"a=1", breaks=True),
    ],
    ids=["no UTF-8", "too many", "JSON", "cut off"],
)
def test_what_is_no_form(request_) -> None:
    """What is no form, or did not come whole, is refused as a whole."""
    with pytest.raises(JobFormatError):
        asyncio.run(read_form(request_))


def test_a_form_that_does_not_come(monkeypatch) -> None:
    """A form whose rest is not sent is given up."""
    monkeypatch.setattr(forms, "LONGEST", 0.05)

    async def never() -> dict:
        await asyncio.Event().wait()
        return {}

    asked = Request({"type": "http", "method": "POST", "headers": []}, never)
    with pytest.raises(JobFormatError, match="did not come within"):
        asyncio.run(read_form(asked))

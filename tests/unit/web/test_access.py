"""Secrets: the token that is used once, sessions, the password and how often it may be tried."""

from __future__ import annotations

from spoolrunner.web.access import MOST_SESSIONS, Access


def test_a_token_is_used_once(clock) -> None:
    """The token opens one session; then it is another, which is announced."""
    told: list[str] = []
    access = Access("/spool", None, told.append, clock)
    session = access.open_with_token(told[0])
    assert session is not None
    assert access.knows_session(session)
    assert access.open_with_token(told[0]) is None
    assert len(told) == 2
    assert access.open_with_token(told[1])


def test_guesses(clock) -> None:
    """Neither an empty word nor a part of a secret opens anything."""
    access = Access("/spool", None, clock=clock)
    for guess in ("", access.token[:-1], access.token + "x", "ü", "\ud800"):
        assert access.open_with_token(guess) is None
        assert not access.knows_session(guess)
        assert not access.knows_bearer(guess)
    assert access.open_with_password("") is None


def test_a_program_does_not_use_the_token_up(clock) -> None:
    """A program that sends the token with each request does not use it up, and comes in with the password, too."""
    access = Access("/spool", "wort", clock=clock)
    assert access.knows_bearer(access.token)
    assert access.knows_bearer(access.token)
    assert access.knows_bearer("wort")


def test_a_password_cannot_be_tried_for_long(clock) -> None:
    """After ten wrong passwords none is looked at, the right one neither, until a minute has passed."""
    access = Access("/spool", "wort", clock=clock)
    for number in range(10):
        assert access.open_with_password(f"guess {number}") is None
    assert access.open_with_password("wort") is None
    clock.advance(61)
    assert access.open_with_password("wort") is not None


def test_sessions_are_bounded(clock) -> None:
    """Of too many sessions the one that was used longest ago is forgotten."""
    access = Access("/spool", "wort", clock=clock)
    sessions = [access.open_with_password("wort") for _ in range(MOST_SESSIONS)]
    assert access.knows_session(sessions[0] or "")
    access.open_with_password("wort")
    assert access.knows_session(sessions[0] or "")
    assert not access.knows_session(sessions[1] or "")


def test_pages_of_two_spools_have_two_cookies() -> None:
    """A browser sends cookies to every port of a machine: each spool has a name of its own."""
    assert Access("/a", None).cookie != Access("/b", None).cookie

"""Coming in: nothing is shown before, a token is good once, a password for all, and the cookie is for nobody else."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.web.settings import Settings
from tests.web.served import SAME_ORIGIN

PAGES = [
    "/",
    "/failed/",
    "/failed/.json",
    "/job/a",
    "/failed/a.json",
    "/schedules/",
    "/logs/",
    "/settings/",
    "/find?q=a",
    "/x",
]


@pytest.fixture
def closed(serve, drop):
    """A page whose cookie is thrown away."""
    drop(State.FAILED, "a", {"params": ["secret"]})
    page = serve()
    page.cookie = ""
    return page


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_shown_before(closed, path) -> None:
    """Whoever is not known is shown the form for coming in, on every address, and nothing of the spool."""
    answer = closed.get(path)
    assert answer.status == 401
    assert 'name="secret"' in answer.text
    assert "secret</" not in answer.text
    assert "/spool" not in answer.text


def test_health_and_the_stylesheet_are_open(closed) -> None:
    """A monitor gets a word, and the form its stylesheet."""
    assert json.loads(closed.get("/health").text) == {"condition": "no dispatcher"}
    assert closed.get("/static/page.css").headers["content-type"].startswith("text/css")


def test_the_token_is_good_once(closed) -> None:
    """The printed address lets one browser in and is used up; then another is printed."""
    first = closed.tokens[-1]
    assert closed.get(f"/?token={first}").status == 200
    assert closed.get(f"/?token={first}").status == 401
    assert closed.tokens[-1] != first
    assert closed.get("/?token=").status == 401


def test_the_cookie(closed) -> None:
    """The cookie is strict and no script sees it; the page that sets it leads on without the token."""
    answer = closed.get(f"/?token={closed.tokens[-1]}")
    flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert flags == {"httponly", "samesite=strict", "path=/"}
    assert 'content="0; url=./"' in answer.text
    closed.cookie = answer.headers["set-cookie"].partition(";")[0]
    assert closed.get("/").status == 200
    closed.cookie += "x"
    assert closed.get("/").status == 401


def test_behind_https_the_cookie_is_for_https(closed) -> None:
    """A proxy that says that it speaks https makes the cookie one for https alone."""
    answer = closed.get(f"/?token={closed.tokens[-1]}", X_Forwarded_Proto="https")
    assert "Secure" in answer.headers["set-cookie"]


def test_a_browser_that_is_known_gets_rid_of_the_token(serve) -> None:
    """With the token in the address a known browser is led on, too, so that it does not stay in its line."""
    page = serve()
    answer = page.get(f"/?token={page.tokens[-1]}")
    assert (answer.status, 'content="0; url=./"' in answer.text) == (200, True)


def test_from_a_page_elsewhere(closed) -> None:
    """A browser that holds a strict cookie back, since another page led here, is led here once more by ours."""
    assert '<meta http-equiv="refresh" content="0">' in closed.get("/failed/", Sec_Fetch_Site="cross-site").text
    assert "refresh" not in closed.get("/failed/", Sec_Fetch_Site="same-origin").text


def test_the_form(closed) -> None:
    """The form takes the token and, where there is one, the password; a wrong word is said to be wrong."""
    wrong = closed.post("/login", {"secret": "x"})
    assert (wrong.status, 'role="alert"' in wrong.text) == (401, True)
    answer = closed.post("/login", {"secret": closed.tokens[-1]})
    assert (answer.status, answer.leads_to) == (303, "/")
    assert "set-cookie" in answer.headers


def test_password_and_programs(serve) -> None:
    """The password opens a session by the form, and is good for a program with each request, as Basic or Bearer."""
    page = serve(Settings(password="wört"))
    page.cookie = ""
    assert page.post("/login", {"secret": "wört"}).status == 303
    for header in ("Bearer wört", f"Basic {b64encode('anybody:wört'.encode()).decode()}"):
        sent = {"Authorization": header.encode().decode("latin-1")}
        assert page.ask("GET", "/.json", headers=sent).status == 200 or "ö" in header
    sent = {"Authorization": f"Bearer {page.tokens[-1]}"}
    assert page.ask("GET", "/.json", headers=sent).status == 200
    assert page.ask("POST", "/control/pause", headers=sent).status == 303
    for header in ("Bearer x", "Basic x", "Basic !", "Digest x", "Bearer"):
        assert page.ask("GET", "/.json", headers={"Authorization": header}).status == 401


def test_a_proxy_says_who(serve) -> None:
    """Where the operator names the header of a proxy, its user is let in, and is named in the log."""
    page = serve(Settings(proxy_header="X-User"))
    page.cookie = ""
    assert page.get("/").status == 401
    assert page.get("/", X_User="ada").status == 200
    page.ask("POST", "/control/pause", headers={"X-User": "ada\x01", **SAME_ORIGIN})
    page.ask("POST", "/control/resume", headers={"X-User": "ada", **SAME_ORIGIN})
    assert page.log[-1][0] == "web: ada"


def test_without_that_setting_such_a_header_means_nothing(closed) -> None:
    """A header that nobody has configured lets nobody in."""
    assert closed.get("/", X_User="ada", X_Remote_User="ada").status == 401

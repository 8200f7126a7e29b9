"""A page that stays open: it shows what happens, and never under the hand of its reader."""

from __future__ import annotations

import os

import pytest

from spoolrunner.protocol.states import State
from spoolrunner.web import live
from tests.web.browser.chromium import ENTER


def move(spool, job_id: str, source: State, target: State) -> None:
    os.rename(spool.layout.job(source, job_id), spool.layout.job(target, job_id))


def count(reader, folder: str) -> str:
    return reader.text(f".folders a.{folder} b")


@pytest.fixture
def opened(read, drop):
    """The list of failed/ with two files, marked so that a reload would be noticed."""
    drop(State.FAILED, "a")
    drop(State.FAILED, "b")
    reader = read()
    reader.open("/failed/")
    reader.until(lambda: reader.text("#live").startswith("live"))
    reader.script("window.mark = 1")
    return reader


def is_same_page(reader) -> bool:
    return reader.script("return window.mark") == 1


def test_counts(opened, drop) -> None:
    """A number changes by itself soon after a file came, and the page is not loaded again."""
    drop(State.PENDING, "new")
    opened.until(lambda: count(opened, "pending") == "1", 5.0)
    assert is_same_page(opened)


def test_rows_stay(opened, drop, spool) -> None:
    """A row that left its folder stays, grey, and says where it is; of what came the number is said, with a link."""
    move(spool, "a", State.FAILED, State.PENDING)
    drop(State.FAILED, "c")
    opened.until(lambda: opened.text("[data-id=a]").endswith("now in pending/"))
    assert "left" in opened.one("[data-id=a]").get_attribute("class")
    assert [row.get_attribute("data-id") for row in opened.all("[data-id]")] == ["b", "a"]
    opened.until(lambda: opened.text("#newer") == "1 newer: show")
    opened.click("#newer a")
    opened.until(lambda: len(opened.all("[data-id]")) == 2 and not opened.all("[data-id=a]"))


def test_removed(opened, spool) -> None:
    """A row whose file was removed says so."""
    os.unlink(spool.layout.job(State.FAILED, "a"))
    opened.until(lambda: opened.text("[data-id=a]").endswith("removed"))


def test_paused_while_somebody_types(opened, drop) -> None:
    """While a field has the focus nothing moves; what came is kept, said, and shown when it is left."""
    opened.click("input[name=group]")
    drop(State.PENDING, "new")
    opened.until(lambda: "paused while you type or choose; 1 change kept" in opened.text("#live"))
    assert count(opened, "pending") == "0"
    opened.script("document.activeElement.blur()")
    opened.until(lambda: count(opened, "pending") == "1")


def test_paused_while_a_question_is_open(opened, drop) -> None:
    """Nothing moves under an open question, or under ticked files."""
    opened.click("details.asks summary")
    drop(State.PENDING, "new")
    opened.until(lambda: "paused while a question is open; 1 change kept" in opened.text("#live"))
    opened.click("[data-id=a] [type=checkbox]")
    opened.click("details.asks summary")
    opened.until(lambda: "paused while files are ticked" in opened.text("#live"))
    assert count(opened, "pending") == "0"
    opened.click("[data-id=a] [type=checkbox]")
    opened.until(lambda: count(opened, "pending") == "1")


def test_freeze(opened, drop) -> None:
    """A frozen page stays as it is until it is let go on."""
    opened.click("#freeze")
    drop(State.PENDING, "new")
    opened.until(lambda: opened.text("#live") == "frozen; 1 change kept")
    assert count(opened, "pending") == "0"
    assert opened.one("#freeze").get_attribute("aria-pressed") == "true"
    opened.press(".")
    opened.until(lambda: count(opened, "pending") == "1")


def test_selection(opened, drop) -> None:
    """Text that somebody is selecting stays under the mouse."""
    opened.script("getSelection().selectAllChildren(document.querySelector('h1'))")
    drop(State.PENDING, "new")
    opened.until(lambda: "paused while text is selected" in opened.text("#live"))
    opened.script("getSelection().removeAllRanges()")
    opened.until(lambda: count(opened, "pending") == "1")


def test_without_a_stream(read, drop, monkeypatch) -> None:
    """Where no stream is to be had the page looks by itself, every ten seconds."""
    monkeypatch.setattr(live, "MOST_STREAMS", 0)
    reader = read()
    reader.open("/failed/")
    drop(State.PENDING, "new")
    reader.until(lambda: count(reader, "pending") == "1", 15.0)
    assert [line for line in reader.complaints() if "503" not in line] == []


def test_burst(opened, drop) -> None:
    """A thousand files are shown within two seconds after the last, with two looks a second at most."""
    opened.script(
        "window.looks = 0; const real = fetch; window.fetch = (...all) => { looks += 1; return real(...all); }"
    )
    began = opened.script("return performance.now()")
    for number in range(1000):
        drop(State.PENDING, f"new-{number}")
    opened.until(lambda: count(opened, "pending") == "1,000", 2.0)
    looks, took = opened.script("return [looks, performance.now() - arguments[0]]", began)
    assert looks <= 2 * took / 1000 + 2


def test_server_that_is_gone(opened) -> None:
    """When the server is gone the page says since when, and from when what it shows is."""
    opened.page.die()
    opened.script("heard = Date.now() - 60000; seen = heard")
    opened.until(lambda: opened.text("#live").startswith("No word from the page's server for 6"))
    assert "what you see is of" in opened.text("#live")
    opened.complaints()


def test_spool_that_goes(read, drop, spool) -> None:
    """A spool that is taken away under an open page is missed, and seen again when it is back."""
    drop(State.FAILED, "a")
    reader = read()
    reader.open("/")
    away = f"{spool.layout.root}-elsewhere"
    os.rename(spool.layout.root, away)
    reader.until(lambda: reader.text("h1").startswith("The spool is gone."), 40.0)
    os.rename(away, spool.layout.root)
    reader.until(lambda: reader.text("h1").startswith("No dispatcher runs"), 40.0)
    assert [line for line in reader.complaints() if "503" not in line] == []


def test_browser_that_is_not_known_any_more(opened, drop) -> None:
    """After the page's server was started anew it says how to come in again."""
    opened.page.web.access._sessions.clear()
    drop(State.PENDING, "new")
    opened.until(lambda: opened.text("#live").startswith("This browser is not known any more: open the address"))
    assert [line for line in opened.complaints() if "401" not in line] == []


def test_keys(opened) -> None:
    """Keys lead through the page, and change nothing in the spool."""
    opened.press("?")
    assert opened.one("#keys").is_displayed()
    opened.click("#keys button")
    opened.press("j")
    assert opened.script("return document.activeElement.textContent") == "b"
    opened.press("j")
    assert opened.script("return document.activeElement.textContent") == "a"
    opened.press("k", "x")
    assert opened.one("[data-id=b] [type=checkbox]").is_selected()
    assert opened.one("[data-ticked]").is_selected()
    opened.press("/")
    assert opened.script("return document.activeElement.name") == "q"
    opened.press("x", "?")
    assert opened.one("input[name=q]").get_attribute("value") == "x?"
    opened.script("document.activeElement.blur()")
    opened.press("g", "d")
    opened.until(lambda: opened.path() == "/done/")


def test_enter_opens_the_row(opened) -> None:
    """The row that has the focus is opened as any link is."""
    opened.press("j", ENTER)
    opened.until(lambda: opened.path() == "/job/b")


def test_copy(opened) -> None:
    """A command line is copied by a button; over plain http too, where a browser has no other clipboard."""
    opened.script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    line = opened.text(".cli")
    opened.click(".cli + .copy")
    opened.until(lambda: opened.text(".cli + .copy") == "copied")
    opened.click("input[name=q]")
    opened.press("\ue009v\ue000")
    assert opened.one("input[name=q]").get_attribute("value") == line


def test_times_of_the_reader(opened) -> None:
    """Times are shown in the zone of the reader, and its name is said."""
    opened.look_like(zone="Asia/Kolkata")
    opened.open("/failed/")
    assert opened.text("[data-zone]") in ("Asia/Kolkata", "Asia/Calcutta")
    shown, local = opened.script(
        "const t = document.querySelector('#read-at time'), at = new Date(t.dateTime);"
        "return [t.textContent, at.toLocaleTimeString('en', {hourCycle: 'h23'})]"
    )
    assert shown == local

"""The page beside a real dispatcher that has a day behind it: what it shows, what it does, and that it follows what happens."""

from __future__ import annotations

import os
import time

import pytest

from tests.daemon.harness import Daemon, until
from tests.web.browser.chromium import NARROW, WIDE, Reader
from tests.web.served import Served
from tests.web.shop import Shop

PATHS = [
    "/",
    "/?span=day",
    "/?span=month",
    "/running/",
    "/job/report-2026-q3",
    "/job/invoice-90388",
    "/schedules/",
    "/logs/",
]


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path, time.time())
    made.fill()
    made.busy()
    return made


@pytest.fixture
def daemon(shop):
    started = Daemon(shop.folder).ready()
    until(lambda: len(os.listdir(shop.layout.folder("running"))) >= 6)
    shop.waiting()
    yield started
    if started.process.poll() is None:
        started.stop()
    else:
        Daemon(shop.folder).ready().stop()  # what a dispatcher that died has left running is ended
    started.kill()


@pytest.fixture
def reader(driver, shop, daemon):
    served = Served(str(shop.config))
    opened = Reader(driver, served)
    until(lambda: not served.desk.index.is_counting)
    yield opened
    complaints, others = opened.complaints(), opened.asked_of_others()
    driver.get("about:blank")
    served.close()
    assert (complaints, others) == ([], [])


def test_screens(reader, axe) -> None:
    """Beside a dispatcher too, axe-core has nothing against a screen, in light, dark and narrow; a page has less than 60 kB."""
    found = {}
    for path in PATHS:
        for size, scheme in ((WIDE, "light"), (WIDE, "dark"), (NARROW, "light")):
            reader.look_like(size, scheme)
            reader.open(path)
            violations = reader.violations(axe)
            if violations or reader.script("return document.documentElement.scrollWidth") > size[0]:
                found[path, size, scheme] = violations or "too wide"
        assert len(reader.page.get(path).text.encode()) < 60_000
    assert found == {}


def test_pause_on_the_overview(reader, shop) -> None:
    """A kind, a group and all are paused and resumed where they stand; what lies in control/ is listed."""
    control = shop.layout.control
    reader.open("/")
    reader.click('[aria-label="pause shop.Mailer.deliver"]')
    reader.until(lambda: os.path.exists(f"{control}/pause-shop.Mailer.deliver"))
    reader.click('[aria-label="resume shop.Mailer.deliver"]')
    reader.until(lambda: os.listdir(control) == [])
    reader.click('[aria-label="pause group mail"]')
    reader.until(lambda: os.path.exists(f"{control}/pause-group-mail"))
    reader.click("form[action$='control/pause'] button:not(.mini)")
    reader.until(lambda: reader.text("h1").startswith("Paused."))
    assert sorted(os.listdir(control)) == ["pause", "pause-group-mail"]
    reader.click("form[action$='control/resume'] button:not(.mini)")
    reader.until(lambda: not reader.text("h1").startswith("Paused."))
    assert os.listdir(control) == ["pause-group-mail"]


def test_what_is_enqueued_runs(reader, shop) -> None:
    """A job from the form passes the folders under the eyes of its reader, without the page being loaded again."""
    for name in ("index-products", "report-2026-q3"):
        (shop.folder / "spool" / "control" / f"cancel-{name}").touch()
    reader.open("/enqueue/?kind=shop.Invoice.export")
    reader.type("[name='p.invoice']", "4711")
    reader.click("button.go")
    reader.until(lambda: reader.path().startswith("/job/"))
    reader.script("window.mark = 1")
    reader.until(lambda: "/done/" in reader.text("h1"))
    assert reader.script("return window.mark") == 1
    assert "[\n  4711\n]" in reader.text("main") or '"invoice": 4711' in reader.text("main")


def test_stop(reader, daemon) -> None:
    """The dispatcher is stopped after a question that names what runs; the page sees it go, and says how to start one."""
    reader.open("/")
    reader.click("form[action$='control/stop'] button")
    reader.until(lambda: reader.text("h1").startswith("Stop the dispatcher? 6 jobs run:"))
    reader.click("button.go")
    reader.until(lambda: reader.text("h1").startswith("No dispatcher runs on this spool."))
    assert daemon.process.wait(20) == 0
    assert "spoolrunner run --config" in reader.text("main")


def test_dispatcher_that_dies(reader, daemon) -> None:
    """A dispatcher that is killed is missed within half a minute, though nothing in the folders tells of it."""
    reader.open("/")
    reader.until(lambda: "dispatcher runs" in reader.text("#dispatcher"))
    daemon.kill()
    reader.until(lambda: "no dispatcher" in reader.text("#dispatcher"), 35.0)

"""What strangers may put into a spool, and what other pages may send: shown as text, refused, and never run."""

from __future__ import annotations

import http.server
import json
import threading

import pytest

from spoolrunner.protocol.states import Outcome, State
from tests.web.browser.test_reading import SCREENS

SCRIPT = "<script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>\"'><svg onload=window.pwned=1>"
TEMPLATE = "{{ 7 * 7 }}{% for x in [1] %}pwned{% endfor %}"


@pytest.fixture
def hostile(read, drop, spool):
    """A spool in which everything that a stranger names is a script."""
    evil = SCRIPT + TEMPLATE
    error = {"type": evil, "message": evil, "traceback": f"Traceback\n{evil}"}
    attempt = {"number": 1, "outcome": "failed", "started_at": evil, "ended_at": evil, "error": error}
    document = {
        "job": evil,
        "method": evil,
        "group": evil,
        "params": {evil: evil},
        "meta": {evil: evil},
        "attempts": [attempt],
    }
    drop(State.FAILED, "evil", {**document, "result": evil})
    drop(State.DONE, "evil-done", {"result": evil, "attempts": [{**attempt, "outcome": "succeeded"}]})
    drop(State.PENDING, "waits", {"after": ["<b>x"], "params": [evil], "meta": {"schedule": evil}})
    drop(State.RUNNING, "evil-runs", {"params": [evil]})
    drop(State.FAILED, "broken", evil.encode())
    drop(State.FAILED, "<svg onload=window.pwned=1>")
    drop(State.PENDING, "a b<script>alert(1)<script>")
    spool.explain("broken", Outcome.REJECTED, evil, "pending/broken.json", 0.0)
    with open(spool.layout.progress("evil-runs"), "w", encoding="utf-8") as stream:
        json.dump({"fraction": 0.5, "text": evil}, stream)
    with open(spool.layout.log("evil"), "w", encoding="utf-8") as stream:
        stream.write(f"{evil}\n\x1b]0;title\x07\x1b[2J\n")
    with open(f"{spool.layout.logs}/background_jobs.log", "w", encoding="utf-8") as stream:
        stream.write(f'2026-11-27T11:58:04.118000Z failed id={evil} job={evil} note="{evil}"\n{evil}\n')
    reader = read()
    reader.script("window.pwned = 0")
    return reader


PAGES = [
    *SCREENS,
    "/job/evil",
    "/job/evil-done",
    "/job/broken",
    "/job/evil-runs",
    "/logs/",
    "/settings/",
    "/schedules/",
]


def test_scripts_of_strangers(hostile) -> None:
    """Whatever jobs are called, print or fail with is text: no element is made of it, and nothing of it runs."""
    found = {}
    for path in PAGES:
        hostile.open(path)
        made = hostile.all("main script, main img, main [onload], main [onerror]")
        complaints = [line for line in hostile.complaints() if "404" not in line]
        if made or complaints or hostile.script("return window.pwned") is not None:
            found[path] = [one.get_attribute("outerHTML") for one in made] + complaints
    assert found == {}


@pytest.mark.parametrize(
    "path", ["/failed/evil.json", "/failed/broken.json", "/logs/jobs/evil.log", "/failed/broken.reason"]
)
def test_raw_files(hostile, path) -> None:
    """A file is sent as text, and a browser takes it for nothing else."""
    answer = hostile.page.get(path)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    hostile.open(path)
    assert hostile.script(
        "return [document.contentType, document.querySelectorAll('script').length, window.pwned]"
    ) == [
        "text/plain",
        0,
        None,
    ]


def test_text_that_is_searched_for(hostile) -> None:
    """What is asked for in an address is text too."""
    hostile.open(
        "/failed/?match=%3Cscript%3Ewindow.pwned%3D1%3C/script%3E&group=%22%3E%3Cimg%20src%3Dx%20onerror%3Dpwned%3D1%3E"
    )
    assert hostile.script("return window.pwned") is None
    hostile.open("/find?q=%3Cscript%3Ewindow.pwned%3D1%3C/script%3E")
    assert hostile.script("return window.pwned") is None
    hostile.open("/?said=%3Cscript%3Ewindow.pwned%3D1%3C/script%3E")
    assert hostile.script("return window.pwned") is None
    assert [line for line in hostile.complaints() if "404" not in line] == []


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    """Another page, which sends forms and scripts to ours."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere():
    """A server under another name of this machine: another site for a browser."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_form_of_another_page(read, drop, spool, elsewhere, host) -> None:
    """A page of another site, or of another port of this one, cannot have anything done in the name of who reads it."""
    drop(State.FAILED, "a")
    reader = read()
    fields = '<input name="count" value="1"><input name="sure" value="yes">'
    form = (
        f'<form id="f" method="post" action="{reader.root}/failed/discard">{fields}</form><script>f.submit()</script>'
    )
    _Elsewhere.body = form.encode()
    reader.driver.get(f"http://{host}:{elsewhere.server_port}/")
    reader.until(lambda: "nothing was done" in reader.text().lower() or "not known" in reader.text())
    assert spool.exists(State.FAILED, "a")
    assert reader.page.log == []
    reader.complaints()
    reader.asked_of_others()


def test_a_script_of_another_page(read, drop, elsewhere) -> None:
    """Nor can it read what ours shows, or have it in a frame."""
    drop(State.FAILED, "secret-id")
    reader = read()
    _Elsewhere.body = f"""<iframe id=i src="{reader.root}/failed/"></iframe><script>
    window.got = [];
    const refused = () => got.push("refused"), mine = {{credentials: "include"}};
    fetch("{reader.root}/failed/", mine).then((answer) => answer.text()).then((text) => got.push(text), refused);
    fetch("{reader.root}/control/pause", {{...mine, method: "POST", mode: "no-cors"}}).then(() => got.push("sent"), refused);
    </script>""".encode()
    reader.driver.get(f"http://localhost:{elsewhere.server_port}/")
    reader.until(lambda: len(reader.script("return window.got")) == 2)
    assert reader.script("return window.got") == ["refused", "refused"]
    assert (
        reader.script("try { return i.contentDocument && i.contentDocument.body.textContent } catch { return null }")
        is None
    )
    assert reader.page.log == []
    reader.complaints()
    reader.asked_of_others()


def test_another_name(read) -> None:
    """A name that an attacker has led to this machine is not answered to, whatever is asked."""
    reader = read()
    for path in ("/", "/health", "/static/page.css", "/login"):
        assert reader.page.ask("GET", path, headers={"Host": f"evil.example:{reader.page.port}"}).status == 421
    rebound = {"Host": "evil.example", "Sec-Fetch-Site": "same-origin"}
    assert reader.page.ask("POST", "/control/pause", headers=rebound).status == 421


def test_guesses(read) -> None:
    """A token that is guessed opens nothing, and one that was used opens nothing again."""
    reader = read()
    page, used = reader.page, reader.page.tokens[0]
    page.cookie = ""
    for token in ("", "x", used, used[:-1], page.tokens[-1][:-1] + "."):
        answer = page.get(f"/?token={token}")
        assert (answer.status, "set-cookie" in answer.headers) == (401, False)
    assert page.get(f"/?token={page.tokens[-1]}").status == 200
